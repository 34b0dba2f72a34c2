"""The report of a run: its content, its figures, its pages."""
