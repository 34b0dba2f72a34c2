"""The layout of a model folder: how it reads text, and what follows the transformer.

A file of this package is a format: a module with ``recognises`` and ``read``. The first one that recognises a folder
reads it.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from optical.model.text.json_object import read_json
from optical.model.text.roles import Roles

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"


@dataclass(frozen=True, kw_only=True)
class DenseLayer:
    """A linear layer behind the transformer, and where its weights are.

    ``weights`` is the path of a safetensors file in the folder, with the keys ``weight`` and, for a bias, ``bias``.
    """

    inputs: int
    outputs: int
    weights: str
    weight: str = "linear.weight"
    bias: str = ""
    activation: str = "Identity"
    """Name of a class of ``torch.nn`` without arguments."""


Layer = DenseLayer | Literal["normalise"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What a folder says about itself, besides its backbone."""

    format: str
    """Name of the format."""
    roles: Roles = field(default_factory=Roles)
    """How texts are read."""
    head: tuple[Layer, ...] = ()
    """What is applied to every token vector of the transformer, in order. Normalisation always comes last."""
    pooling: Literal["", "mean", "cls"] = ""
    """How the folder makes one vector of a text, if it says so."""
    pooled_head: tuple[Layer, ...] = ()
    """What is applied to that vector."""
    unpoolable: str = ""
    """Why that vector is not computed here; empty if it is, or if the folder says nothing about one."""
    pad_id: int | None = None
    """Padding id of the transformer, if its configuration has one."""

    @property
    def dim(self) -> int | None:
        """Dimension of the token embeddings; None if it is the transformer's width."""
        return _last_width(self.head)

    @property
    def pooled_dim(self) -> int | None:
        """Dimension of the one vector of a text; None if it is the transformer's width."""
        return _last_width(self.pooled_head)


def _last_width(layers: tuple[Layer, ...]) -> int | None:
    widths = [layer.outputs for layer in layers if isinstance(layer, DenseLayer)]
    return widths[-1] if widths else None


def read_layout(folder: Path) -> Layout:
    """The layout of a model folder.

    Raises:
        DataError: the folder says something that this project does not apply.
    """
    from optical.model.formats import plain, sentence_transformers, stanford

    for kind in (stanford, sentence_transformers):
        if kind.recognises(folder):
            return kind.read(folder)
    return plain.read(folder)


def token_names(folder: Path) -> tuple[frozenset[str], frozenset[str]]:
    """The added tokens of the folder's tokenizer, and all tokens of its vocabulary."""
    content = read_json(folder / "tokenizer.json")
    vocabulary = content.get("model", {}).get("vocab", {})
    learned = vocabulary if isinstance(vocabulary, dict) else [piece[0] for piece in vocabulary]
    added = frozenset(token["content"] for token in content.get("added_tokens", []))
    return added, added.union(learned)


def padding_id(folder: Path) -> int | None:
    """The padding id in the configuration of the transformer."""
    found = read_json(folder / CONFIG).get("pad_token_id")
    return found if isinstance(found, int) else None
