"""A folder of transformers alone: no projection, no prefix, every token scores."""

from pathlib import Path

from optical.model.formats.layout import Layout, padding_id


def read(folder: Path) -> Layout:
    """The layout of a folder without settings of its own."""
    return Layout(format="transformers", pad_id=padding_id(folder))
