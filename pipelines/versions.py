"""The version of every maker. Whoever changes what a maker makes from the same input raises its number here.

A version is part of the fingerprint of what it makes and of everything made from that, so what an older version made
is made anew, and the command says so. ``tests/doors/test_results.py`` keeps a small product of the makers whose output
is exact, and fails when one changes under an unchanged version.
"""

VERSIONS = {
    "bitext": 2,  # reading, cleaning and cutting sentence pairs
    "questions": 2,  # the same of question-passage pairs
    "collection": 2,  # reading passages, topics and qrels
    "teacher-start": 2,  # learning a vocabulary, drawing weights
    "question-tokens": 2,  # tokenising question-passage pairs, holding out dev pairs
    "teacher": 1,  # order of batches, contrastive loss, optimiser
    "student-start": 2,  # learning pieces, placing their embeddings
    "tokens": 2,  # tokenising the bitext, holding out dev pairs
    "teacher-cache": 1,  # the teacher's embeddings of target sides
    "student": 1,  # order of batches, transport loss, optimiser
    "embeddings": 2,  # the teacher's embeddings of passages
    "candidates": 1,  # the faiss index over them
    "run": 2,  # encoding queries, searching, measuring
    "export": 1,  # the student's folder for others
}
