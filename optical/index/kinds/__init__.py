"""Kinds of search over embedded passages, one file each; ``index.search`` names the file."""
