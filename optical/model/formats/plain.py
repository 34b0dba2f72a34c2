"""A folder of transformers alone, or with one projection in ``1_Dense``: no prefix, every token scores."""

from pathlib import Path

from optical.model.formats.layout import Layout, padding_id
from optical.model.formats.modules import dense

DENSE = "1_Dense"
"""Subfolder of the first linear layer behind the transformer, as sentence-transformers and PyLate keep it."""


def read(folder: Path) -> Layout:
    """The layout of a folder without settings of its own."""
    head = (dense(folder, DENSE, "token_embeddings"),) if (folder / DENSE).is_dir() else ()
    return Layout(format="transformers", head=head, pad_id=padding_id(folder))
