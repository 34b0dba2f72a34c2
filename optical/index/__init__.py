"""The English index: the teacher's token embeddings, a faiss index over them, and MaxSim search.

Reading order: ``embed`` (passages to embeddings on Ray Data), ``store`` (the artefact), ``search`` (exact MaxSim,
and faiss candidates before it). The index belongs to the teacher and serves every student.
"""
