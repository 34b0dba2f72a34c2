"""The English index: the teacher's token embeddings, faiss candidates among them, and MaxSim search.

Reading order: ``embed`` (passages to embeddings on Ray Data), ``store`` (them as an artefact), ``search`` (MaxSim over
them), ``candidates`` (faiss in front of it, made only for the searches that ask it). The index belongs to the teacher
and serves every student.
"""
