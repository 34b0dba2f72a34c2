"""Measurements: ``python -m benchmarks.<name>``, each beside its peers in the same run."""
