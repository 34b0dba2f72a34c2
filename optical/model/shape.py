"""What a model folder says of its encoder without loading its weights: positions and dimension."""

import json
from dataclasses import dataclass
from pathlib import Path

from optical.errors import DataError
from optical.model.weights import DENSE

_COUNT_FROM_PADDING = {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet"}
"""Kinds of models whose first position is the one after the padding token's id."""


@dataclass(frozen=True)
class Shape:
    """Longest sentence in tokens that an encoder can read, dimension of its embeddings, kind of its vocabulary."""

    positions: int
    dim: int
    vocabulary: str


def read_shape(folder: Path) -> Shape:
    """The shape of the encoder in ``folder``.

    Raises:
        DataError: a file is missing or says nothing of it.
    """
    from transformers import AutoConfig

    folder = Path(folder)
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        dense = folder / DENSE / "config.json"
        dim = json.loads(dense.read_text())["out_features"] if dense.is_file() else config.hidden_size
        vocabulary = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["type"]
        return Shape(positions(config), dim, vocabulary)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"its shape cannot be read ({type(error).__name__}: {error})".replace("\n", " ")
        raise DataError(folder, what, "give the folder of an encoder of the BERT kind") from error


def positions(config: object) -> int:
    """Longest sentence in tokens of a transformers configuration.

    >>> from types import SimpleNamespace
    >>> positions(SimpleNamespace(model_type="bert", max_position_embeddings=512, pad_token_id=0))
    512
    >>> positions(SimpleNamespace(model_type="xlm-roberta", max_position_embeddings=514, pad_token_id=1))
    512
    """
    skipped = config.pad_token_id + 1 if config.model_type in _COUNT_FROM_PADDING else 0
    return config.max_position_embeddings - skipped
