"""Folders of ColBERT (Khattab and Zaharia), PLAID-X and ColBERT-X: ``artifact.metadata`` beside the weights.

The projection is ``linear.weight`` in the file of all weights. Three conventions place the markers: ColBERT since 2024
inserts them, PLAID-X and ColBERT-X write them over the first token of ``". "``, which leaves a stray token where the
tokenizer reads that as two.
"""

from pathlib import Path

from optical.errors import DataError
from optical.model.formats.layout import CONFIG, Layout, read_json

METADATA = "artifact.metadata"
ARCHITECTURE = "HF_ColBERT"


def recognises(folder: Path) -> bool:
    """Whether the folder has the metadata of ColBERT, or its configuration names ColBERT's class."""
    return (folder / METADATA).is_file() or ARCHITECTURE in (read_json(folder / CONFIG).get("architectures") or [])


def read(folder: Path) -> Layout:
    """The layout that the metadata say.

    Raises:
        DataError: a file is missing, or the metadata ask for what is not applied here.
    """
    raise DataError(folder, "is a folder of ColBERT, which is not read yet", "convert it with PyLate")
