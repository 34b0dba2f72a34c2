"""Cleaning: reasons to drop pairs that are well formed, found block by block (one pass, then duplicates in order)."""
