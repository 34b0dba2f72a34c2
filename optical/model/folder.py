"""A model folder on disk: its files, the check that they are there, and what it says without its weights.

This module imports neither torch nor, until a shape is asked for, transformers. ``storage`` reads and writes weights.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optical.artefacts import sha256_file
from optical.errors import DataError

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"
DENSE = "1_Dense"
"""Subfolder of the projection, as sentence-transformers and PyLate keep it."""
REQUIRED = (CONFIG, WEIGHTS, TOKENIZER)

_COUNT_FROM_PADDING = {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet"}
"""Model types whose first position is the one after the padding token's id."""


@dataclass(frozen=True)
class Shape:
    """Longest sentence in tokens that an encoder can read, dimension of its embeddings, type of its vocabulary."""

    positions: int
    dim: int
    vocabulary: str


def check_folder(folder: Path) -> Path:
    """The folder itself, if it holds every required file.

    Raises:
        DataError: a file is missing.
    """
    folder = Path(folder)
    for name in REQUIRED:
        if not (folder / name).is_file():
            advice = f"give a folder with {', '.join(REQUIRED)}"
            raise DataError(folder, f"a model folder needs {name}, and it is missing", advice)
    return folder


def read_shape(folder: Path) -> Shape:
    """The shape of the encoder in ``folder``.

    Raises:
        DataError: a file is missing, or does not give the shape.
    """
    from transformers import AutoConfig

    folder = Path(folder)
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        dense = folder / DENSE / CONFIG
        dim = json.loads(dense.read_text())["out_features"] if dense.is_file() else config.hidden_size
        vocabulary = json.loads((folder / TOKENIZER).read_text(encoding="utf-8"))["model"]["type"]
        return Shape(positions(config), dim, vocabulary)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"its shape cannot be read ({type(error).__name__}: {error})".replace("\n", " ")
        raise DataError(folder, what, "give the folder of an encoder of the BERT kind") from error


def positions(config: Any) -> int:
    """Longest sentence in tokens of a transformers configuration.

    >>> from types import SimpleNamespace
    >>> positions(SimpleNamespace(model_type="bert", max_position_embeddings=512, pad_token_id=0))
    512
    >>> positions(SimpleNamespace(model_type="xlm-roberta", max_position_embeddings=514, pad_token_id=1))
    512
    """
    skipped = config.pad_token_id + 1 if config.model_type in _COUNT_FROM_PADDING else 0
    return config.max_position_embeddings - skipped


def weights_fingerprint(folder: Path) -> dict[str, str]:
    """Sha256 of every file that decides what the encoder computes, by name."""
    names = [*REQUIRED, f"{DENSE}/{WEIGHTS}", f"{DENSE}/{CONFIG}"]
    return {name: sha256_file(folder / name) for name in names if (folder / name).is_file()}
