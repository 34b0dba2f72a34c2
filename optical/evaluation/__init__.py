"""Evaluation: TREC files, measures, significance tests, and the protocols that say what is compared with what."""
