"""Tracking: a run writes a journal in JSON lines; the progress line, MLflow and the report read it."""
