"""A model folder on disk: its files, the check that they are there, and what it says without its weights.

This module imports neither torch nor, until a shape is asked for, transformers. ``storage`` reads and writes weights.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from optical.artefacts import sha256_file
from optical.errors import DataError
from optical.model.formats.layout import (
    CONFIG,
    WEIGHTS,
    WEIGHTS_INDEX,
    DenseLayer,
    Layout,
    read_layout,
)
from optical.model.formats.modules import MODULES, check_transformer, modules_of
from optical.model.formats.refused import check_family, check_kind, why_unread
from optical.model.positions import positions
from optical.model.text.json_object import read_json
from optical.model.text.roles import ROLES
from optical.model.text.special import TOKENIZER, read_special

REQUIRED = (CONFIG, WEIGHTS, TOKENIZER)
_PICKLES = ("pytorch_model*.bin", "*.dnn", "*.model.pt", "*.pt", "*.pth", "*.ckpt")
_TEXT_SETTINGS = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "modules.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "artifact.metadata",
)


@dataclass(frozen=True)
class Shape:
    """Longest sentence in tokens that an encoder can read, dimension of its embeddings, type of its vocabulary, and
    number of transformer layers (0: not known)."""

    positions: int
    dim: int
    vocabulary: str
    layers: int = field(default=0, compare=False)


def check_folder(folder: Path, required: Sequence[str] = REQUIRED) -> Path:
    """The folder itself, if it holds every required file.

    Args:
        folder: model folder.
        required: names of files; the index of a divided weights file may stand for ``WEIGHTS``.

    Raises:
        DataError: a file is missing.
    """
    folder = Path(folder)
    _check_subfolder(folder)
    for name in required:
        if (folder / name).is_file() or (name == WEIGHTS and (folder / WEIGHTS_INDEX).is_file()):
            continue
        if name == WEIGHTS and (pickles := sorted(file.name for kind in _PICKLES for file in folder.glob(kind))):
            what = f"keeps its weights as a pickle ({pickles[0]}), which can run any code and is never opened here"
            raise DataError(folder, what, f"convert it to {WEIGHTS} with safetensors.torch.save_file")
        advice = f"give a folder with {', '.join(required)}"
        raise DataError(folder, f"a model folder needs {name}, and it is missing", advice)
    return folder


def read_shape(folder: Path, pooled: bool = False) -> Shape:
    """The shape of the encoder in ``folder``, checked as far as that is possible without its weights.

    Args:
        folder: model folder.
        pooled: of the encoder that makes one vector of a text.

    Raises:
        DataError: a file is missing, does not give the shape, or contradicts another; or the folder does not pool.
    """
    from transformers import AutoConfig

    folder = Path(folder)
    check_kind(folder)
    layout = read_layout(folder)
    if pooled:
        _check_pooling(folder, layout)
    width = layout.pooled_dim if pooled else layout.dim
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(folder, *why_unread(folder, error)) from error
    if config.is_encoder_decoder:
        raise DataError(folder, f"is an encoder-decoder ({config.model_type})", "give an encoder alone")
    check_family(folder, config.model_type)
    try:
        content = json.loads((folder / TOKENIZER).read_text(encoding="utf-8"))
        kind, ids = content["model"]["type"], _ids(content)
        dim, longest, rows = width or config.hidden_size, positions(config), config.vocab_size
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"its shape cannot be read ({type(error).__name__}: {error})".replace("\n", " ")
        raise DataError(folder, what, "give the folder of an encoder that transformers loads") from error
    if (most := max(ids.values())) >= rows:
        what = f"its vocabulary has ids up to {most}, and its embeddings have {rows} rows"
        raise DataError(folder, what, "give the tokenizer that belongs to the weights")
    read_special(folder, ids)
    _check_expansion(folder, layout, longest)
    return Shape(longest, dim, kind, getattr(config, "num_hidden_layers", 0))


def weights_fingerprint(folder: Path) -> dict[str, str]:
    """Sha256 of every file that decides what the encoder computes, by name."""
    folder = Path(folder)
    names = {*REQUIRED, *_TEXT_SETTINGS, WEIGHTS_INDEX}
    names |= set(read_json(folder / WEIGHTS_INDEX).get("weight_map", {}).values())
    layout = read_layout(folder)
    for layer in (*layout.head, *layout.pooled_head):
        if isinstance(layer, DenseLayer):
            names |= {layer.weights, str(Path(layer.weights).with_name(CONFIG))}
    if (folder / MODULES).is_file():
        names |= {f"{module['path']}/{CONFIG}" for module in modules_of(folder) if module.get("path")}
    return {name: sha256_file(folder / name) for name in sorted(names) if (folder / name).is_file()}


def _check_pooling(folder: Path, layout: Layout) -> None:
    if layout.unpoolable:
        raise DataError(folder, f"the one vector of a text {layout.unpoolable}", "give another encoder")
    if not layout.pooling:
        what = "does not say how it makes one vector of a text"
        raise DataError(folder, what, "give a sentence-transformers folder with a Pooling module")
    if layout.head:
        raise DataError(folder, "projects its tokens before it pools them, which is not applied", "use another model")


def _check_subfolder(folder: Path) -> None:
    if (folder / MODULES).is_file() and not (folder / CONFIG).is_file():
        for module in modules_of(folder):
            if str(module.get("type", "")).endswith(".Transformer"):
                check_transformer(folder, str(module.get("path", "")))


def _check_expansion(folder: Path, layout: Layout, longest: int) -> None:
    for role in ROLES:
        if (width := layout.roles.of(role).expand_to) > longest:
            what = f"fills a {role} up to {width} tokens, and its positions end at {longest}"
            raise DataError(folder, what, "give settings that belong to the weights")


def _ids(content: dict) -> dict[str, int]:
    vocabulary = content["model"]["vocab"]
    learned = (
        vocabulary if isinstance(vocabulary, dict) else {piece[0]: number for number, piece in enumerate(vocabulary)}
    )
    return learned | {token["content"]: token["id"] for token in content["added_tokens"]}
