"""Tracking: the JSONL journal is the truth; the progress line and the MLflow mirror follow it."""
