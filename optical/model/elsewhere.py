"""What other libraries make of a folder that ``storage.save_encoder`` wrote, and the same folder for ColBERT."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from optical.errors import UserError
from optical.model.encoder import Encoder
from optical.model.folder import CONFIG, WEIGHTS
from optical.model.formats.layout import Layer
from optical.model.formats.stanford import ARCHITECTURE, METADATA, metadata_of, roles_of
from optical.model.head import Dense, Normalise
from optical.model.text.json_object import read_json
from optical.model.text.roles import ROLES, Role, Roles, RoleSettings

_FAMILIES = {"bert": "bert-base-uncased", "xlm-roberta": "xlm-roberta-base"}
_BOTH = "sentence-transformers and PyLate"


def limits_elsewhere(roles: Roles, head: Iterable[nn.Module | Layer] = ()) -> list[str]:
    """Sentences on what other libraries do not do with an exported encoder; none if they compute the same vectors.

    Args:
        roles: of the encoder.
        head: layers of the encoder, or what its folder says about them.
    """
    found = []
    for role in ROLES:
        settings = roles.of(role)
        if settings.scored == "inner":
            what = "only the tokens of the text itself score: leave out special tokens, marker and prefix"
            found.append(f"In a {role}, {what}. {_BOTH} score all tokens.")
        if settings.overwrites:
            what = f"the marker takes the place of the first piece of the prefix {settings.prefix!r}"
            found.append(f"In a {role}, {what}. {_BOTH} put the marker before the prefix.")
    if roles.query.silent:
        found.append(
            f"In a query, {len(roles.query.silent)} tokens do not score. {_BOTH} let all tokens of a query score."
        )
    if roles.document.expand_to:
        found.append(f"A document is filled up to {roles.document.expand_to} tokens. {_BOTH} fill queries only.")
    if roles.query.expand_to and roles.query.filler:
        found.append(f"A query is filled with {roles.query.filler!r}. PyLate fills with the mask token.")
    if any(layer == "normalise" or isinstance(layer, Normalise) for layer in list(head)[:-1]):
        found.append("Vectors are scaled to length 1 before the last linear layer. PyLate cannot load that.")
    return found


def check_stanford(encoder: Encoder, lengths: dict[Role, int] | None = None) -> None:
    """Refuse an encoder that ColBERT's format cannot hold.

    Args:
        encoder: to be written.
        lengths: see ``write_stanford``.

    Raises:
        UserError: its backbone, its head, or how it reads and scores a text has no place there.
    """
    _metadata(encoder, lengths)


def write_stanford(encoder: Encoder, folder: Path, lengths: dict[Role, int] | None = None) -> None:
    """Change a folder that ``save_encoder`` wrote so that ColBERT and PLAID-X load it too, with the same vectors.

    The weights get ColBERT's names, with the projection beside them; ``artifact.metadata`` is added. PLAID-X places the
    marker otherwise in an XLM-R (see ``formats.stanford``), so that its vectors are the same for BERT alone.

    Args:
        encoder: that the folder was written from.
        folder: written by ``save_encoder``.
        lengths: longest text in tokens: that of a document, for ColBERT, by default what the backbone can read; and
            that of a query, by default as many as a query is filled up to. ColBERT has no other one.

    Raises:
        UserError: see ``check_stanford``.
    """
    folder = Path(folder)
    metadata, projection = _metadata(encoder, lengths)
    prefix = encoder.backbone.base_model_prefix
    weights = {f"{prefix}.{name}": value.contiguous() for name, value in encoder.backbone.state_dict().items()}
    weights["linear.weight"] = projection.linear.weight.detach().contiguous()
    # The encoder may still read the old file, which therefore keeps its content until no one does.
    save_file(weights, folder / f"{WEIGHTS}.new", {"format": "pt"})
    os.replace(folder / f"{WEIGHTS}.new", folder / WEIGHTS)
    _write(folder / CONFIG, read_json(folder / CONFIG) | {"architectures": [ARCHITECTURE]})
    _write(folder / METADATA, metadata)


def _metadata(encoder: Encoder, lengths: dict[Role, int] | None) -> tuple[dict, Dense]:
    """ColBERT's metadata of an encoder, and its projection; refused if the format cannot hold them."""
    where, advice = "ColBERT's format", "export without it"
    kind = encoder.backbone.config.model_type
    if kind not in _FAMILIES:
        raise UserError(where, f"is written for {' and '.join(_FAMILIES)}, and the backbone is {kind}", advice)
    projection = encoder.head[0] if len(encoder.head) == 1 else None
    if not isinstance(projection, Dense) or not _plain(projection):
        what = "has room for one linear layer without bias or activation, and the encoder has another head or none"
        raise UserError(where, what, advice)
    longest = (lengths or {}).get("document", encoder.positions)
    metadata = metadata_of(encoder.reader.roles, encoder.dim, longest, _FAMILIES[kind])
    if (role := _unequal(encoder, metadata)) is not None:
        why = _unsaid(encoder.reader.roles.of(role), role)
        raise UserError(where, f"cannot express how a {role} is read and scored here: {why}", advice)
    width = encoder.reader.roles.query.expand_to
    if (cut := (lengths or {}).get("query", width)) < width:
        what = f"reads {width} tokens of a query, and here it is cut to {cut} and then filled up"
        raise UserError(where, what, f"set teacher.query_length to {width} or more, or {advice}")
    return metadata, projection


def _unsaid(settings: RoleSettings, role: Role) -> str:
    """What keeps a role out of ColBERT's metadata."""
    if not settings.marker:
        return "it has no marker"
    if role == "query" and not settings.expand_to:
        return "it is not filled up to a fixed number of tokens"
    if settings.scored == "inner":
        return "only the tokens of the text itself score"
    if settings.prefix:
        return f"{settings.prefix!r} stands in front"
    return "other tokens fill it up or do not score than in ColBERT"


def _plain(layer: Dense) -> bool:
    return layer.linear.bias is None and layer.activation_name == "Identity"


def _unequal(encoder: Encoder, metadata: dict) -> Role | None:
    """The role that ColBERT's metadata do not reproduce."""
    reader = encoder.reader
    if not metadata["query_token_id"] or not metadata["doc_token_id"] or not metadata["query_maxlen"]:
        return "document" if metadata["query_token_id"] and metadata["query_maxlen"] else "query"
    again = reader.with_roles(roles_of(metadata, Path(METADATA))).frames
    return next((role for role in ROLES if again[role] != reader.frames[role]), None)


def _write(file: Path, content: dict) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
