"""Evaluation: TREC files, the field's measures, significance, and the report a person reads."""
