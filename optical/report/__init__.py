"""The report of a run: figures, the page, and what builds them."""
