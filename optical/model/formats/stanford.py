"""Folders of ColBERT (Khattab and Zaharia), PLAID-X and ColBERT-X: ``artifact.metadata`` beside the weights.

The projection is ``linear.weight`` in the file of all weights. Two conventions place the markers:

* ``insert``, of ColBERT since August 2024: the marker stands behind the opening special token.
* ``overwrite_dot``, of PLAID-X, ColBERT-X and older ColBERT: a text is read with ``". "`` in front, and the marker
  takes the place of the first piece. BERT reads the dot as one piece, so both conventions give the same ids. XLM-R
  reads it as two, and the second one stays in every text.

``overwrite_dot`` is taken if the metadata have a setting that only PLAID-X has, else ``insert``. A user who knows
better adds one entry to ``artifact.metadata``: ``"optical": {"markers": "overwrite_dot"}``.
"""

import string
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from optical.errors import DataError
from optical.model.formats.layout import (
    CONFIG,
    WEIGHTS,
    WEIGHTS_INDEX,
    DenseLayer,
    Layout,
    padding_id,
)
from optical.model.formats.sentence_transformers import OWN, own_roles
from optical.model.text.json_object import read_json
from optical.model.text.roles import Roles, RoleSettings

METADATA = "artifact.metadata"
ARCHITECTURE = "HF_ColBERT"
_WEIGHT, _BIAS = "linear.weight", "linear.bias"
_MARKERS = ("insert", "overwrite_dot")
_ONLY_PLAID_X = frozenset({"kd_loss", "n_query_alternative", "multilang", "force_resize_embeddings", "nolangreg"})


def recognises(folder: Path) -> bool:
    """Whether the folder has the metadata of ColBERT, or its configuration names ColBERT's class."""
    return (folder / METADATA).is_file() or ARCHITECTURE in (read_json(folder / CONFIG).get("architectures") or [])


def read(folder: Path) -> Layout:
    """The layout that the metadata and the names of the weights say.

    Raises:
        DataError: a file is missing, or the metadata ask for what is not applied here.
    """
    metadata = read_json(folder / METADATA)
    layer = _projection(folder)
    if metadata.get("dim") not in (None, layer.outputs):
        what = f"says dim {metadata['dim']}, and {_WEIGHT} projects to {layer.outputs}"
        raise DataError(folder / METADATA, what, "give the metadata that belong to the weights")
    roles = own_roles(folder) or roles_of(metadata, folder / METADATA)
    return Layout(format="colbert", roles=roles, head=(layer,), pad_id=padding_id(folder))


def roles_of(metadata: dict[str, Any], file: Path) -> Roles:
    """How texts are read; what the metadata do not say is as ColBERT has it by default.

    Args:
        metadata: of ColBERT.
        file: where they are, for messages.

    Raises:
        DataError: a value is not applied here.
    """
    similarity = metadata.get("similarity", "cosine")
    if similarity != "cosine":
        what = f"scores by the similarity {similarity!r}, and only 'cosine' is applied"
        raise DataError(file, what, "give a model that is trained for cosine")
    markers = metadata.get(OWN, {}).get("markers") or _MARKERS[not _ONLY_PLAID_X.isdisjoint(metadata)]
    if markers not in _MARKERS:
        raise DataError(file, f"places markers by {markers!r}", f"set {OWN}.markers to one of {', '.join(_MARKERS)}")
    width = metadata.get("query_maxlen") or 32
    if not isinstance(width, int):
        raise DataError(file, f"has the query_maxlen {width!r}, which is no number", "replace the file")
    around: dict[str, Any] = {"prefix": ". ", "overwrites": True} if markers == "overwrite_dot" else {}
    query, document = (
        str(metadata.get(f"{side}_token_id") or default)
        for side, default in (("query", "[unused0]"), ("doc", "[unused1]"))
    )
    silent = tuple(string.punctuation) if metadata.get("mask_punctuation", True) else ()
    return Roles(
        query=RoleSettings(
            marker=query, **around, expand_to=width, attends=bool(metadata.get("attend_to_mask_tokens"))
        ),
        document=RoleSettings(marker=document, **around, silent=silent, silent_by="first_piece"),
    )


def metadata_of(roles: Roles, dim: int, document_length: int, family: str) -> dict[str, Any]:
    """The metadata of an encoder whose roles ColBERT can express.

    Args:
        roles: with markers and query augmentation.
        dim: of the token embeddings.
        document_length: longest document in tokens.
        family: a model of the same architecture, by which PLAID-X chooses its classes.
    """
    return {
        "query_token_id": roles.query.marker,
        "doc_token_id": roles.document.marker,
        "query_token": "[Q]",
        "doc_token": "[D]",
        "query_maxlen": roles.query.expand_to,
        "doc_maxlen": document_length,
        "dim": dim,
        "similarity": "cosine",
        "mask_punctuation": bool(roles.document.silent),
        "attend_to_mask_tokens": roles.query.attends,
        "model_name": family,
    }


def _projection(folder: Path) -> DenseLayer:
    """The linear layer in the file of all weights, its shape read from that file's header."""
    sharded: dict[str, str] = read_json(folder / WEIGHTS_INDEX).get("weight_map", {})
    shapes: dict[str, list[int]] = {}
    for name in (_WEIGHT, _BIAS):
        file = folder / sharded.get(name, WEIGHTS)
        try:
            if not sharded or name in sharded:
                with safe_open(file, "np") as weights:
                    if name in weights.keys():  # noqa: SIM118
                        shapes[name] = weights.get_slice(name).get_shape()
        except (OSError, SafetensorError) as error:
            raise DataError(file, f"weights do not load ({error})", "replace the model folder") from error
    if len(shapes.get(_WEIGHT, ())) != 2:
        advice = "give the folder that ColBERT saved, or remove artifact.metadata and HF_ColBERT from config.json"
        raise DataError(folder, f"is a folder of ColBERT, and its weights lack the projection {_WEIGHT}", advice)
    outputs, inputs = shapes[_WEIGHT]
    return DenseLayer(
        inputs=inputs,
        outputs=outputs,
        weights=sharded.get(_WEIGHT, WEIGHTS),
        weight=_WEIGHT,
        bias=_BIAS if _BIAS in shapes else "",
    )
