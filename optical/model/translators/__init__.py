"""Pretrained sequence-to-sequence models that translate queries: their folders, and their translations."""
