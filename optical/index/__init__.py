"""The English index: the teacher's token embeddings of the passages, and the kinds of search over them.

``embed`` makes embeddings on Ray Data, ``embeddings`` stores them, ``kinds`` holds one file per kind of search,
``scoring`` is MaxSim, and ``retriever`` takes query texts and returns a run. One index serves every student.
"""
