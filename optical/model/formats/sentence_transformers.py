"""Folders of sentence-transformers and PyLate: ``modules.json`` lists what is applied, one after the other.

What such a folder says about lengths is not applied, because the recipe says them, but for a fixed width of queries.
"""

import string
from dataclasses import asdict
from pathlib import Path
from typing import Any

from optical.errors import DataError
from optical.model.formats.layout import Layer, Layout, padding_id, token_names
from optical.model.formats.modules import MODULES, check_transformer, dense, masked, modules_of, normalises, pooling
from optical.model.text.json_object import read_json
from optical.model.text.roles import ROLES, Role, Roles, RoleSettings

SETTINGS = "config_sentence_transformers.json"
TRANSFORMER_SETTINGS = "sentence_bert_config.json"
OWN = "optical"
"""Our own key in ``SETTINGS``: roles with all their fields, which the other keys express in part."""
_PYLATE, _NATIVE = "ColBERT", "MultiVectorEncoder"
_OTHER_KINDS = {"CrossEncoder": "a cross-encoder", "SparseEncoder": "a sparse encoder"}
_SILENT_BY_DEFAULT = tuple(string.punctuation)
_IDLE = {"Dropout"}


def recognises(folder: Path) -> bool:
    """Whether the folder has a list of modules."""
    return (folder / MODULES).exists()


def read(folder: Path) -> Layout:
    """The layout that the list of modules says.

    Raises:
        DataError: a module that this project does not apply, or a file of a module is missing.
    """
    settings = read_json(folder / SETTINGS)
    kind = str(settings.get("model_type", ""))
    if kind in _OTHER_KINDS:
        raise DataError(folder, f"is {_OTHER_KINDS[kind]}", "give an encoder with one vector per token or text")
    layers: dict[str, list[Layer]] = {"token_embeddings": [], "sentence_embedding": []}
    pooled, unpoolable, mask = "", "", None
    for module in modules_of(folder):
        name, path = str(module.get("type", "")).rpartition(".")[2], str(module.get("path", ""))
        vectors = "sentence_embedding" if pooled or unpoolable else "token_embeddings"
        if name == "Transformer":
            check_transformer(folder, path)
        elif name == "Dense":
            layers[vectors].append(dense(folder, path, vectors))
        elif name == "Normalize":
            layers[vectors] += normalises(folder / path, vectors)
        elif name == "Pooling":
            pooled, unpoolable = pooling(folder / path / "config.json")
        elif name == "MultiVectorMask":
            mask = masked(folder / path / "config.json")
        elif name not in _IDLE:
            raise DataError(folder / MODULES, f"has a module {name}, which is not applied here", "use another model")
    head, after = layers.values()
    ends_unit = bool(head) and head[-1] == "normalise"
    if kind == _NATIVE and not ends_unit:
        what = "does not scale its token vectors to length 1, and only cosines are compared here"
        raise DataError(folder / MODULES, what, "use a model that ends with Normalize")
    return Layout(
        format="sentence-transformers",
        roles=own_roles(folder) or _roles(folder, settings, mask),
        head=tuple(head[:-1] if ends_unit else head),
        pooling=pooled,  # type: ignore[arg-type]
        pooled_head=tuple(after),
        unpoolable=unpoolable or (_other_similarity(settings, after) if pooled else ""),
        pad_id=padding_id(folder),
    )


def own_roles(folder: Path) -> Roles | None:
    """The roles under our own key of ``SETTINGS``, if it is there.

    Raises:
        DataError: they are not what this version writes.
    """
    plain = read_json(folder / SETTINGS).get(OWN, {}).get("roles")
    try:
        return Roles(**{role: _own(plain[role]) for role in ROLES}) if plain else None
    except (KeyError, TypeError, AttributeError) as error:
        what = f"has roles under {OWN!r} that are not read ({error})"
        raise DataError(folder / SETTINGS, what, f"correct or remove {OWN}.roles") from error


def settings_of(roles: Roles, lengths: dict[Role, int], silent: tuple[str, ...]) -> dict[str, Any]:
    """``SETTINGS`` of a late-interaction model, as PyLate writes them, with our own key.

    Args:
        roles: of the model.
        lengths: longest query and document in tokens, for other libraries.
        silent: tokens of a document that do not score.
    """
    query, document = roles.query, roles.document
    width = query.expand_to or lengths["query"]
    expansion = {"strategy": "fixed", "attend": query.attends, "token": query.filler or None, "length": width}
    return {
        "model_type": _PYLATE,
        "similarity_fn_name": "MaxSim",
        "prompts": {"query": query.prefix, "document": document.prefix},
        "default_prompt_name": None,
        "query_prefix": query.marker,
        "document_prefix": document.marker,
        "query_length": width,
        "document_length": lengths["document"],
        "do_query_expansion": query.expand_to > 0,
        "attend_to_expansion_tokens": query.attends,
        **({"query_expansion": expansion} if query.filler and query.expand_to else {}),
        "skiplist_words": list(silent),
        OWN: {"roles": {"query": asdict(query), "document": asdict(document)}},
    }


def _own(plain: dict[str, Any]) -> RoleSettings:
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}
    return RoleSettings(**fields)


def _roles(folder: Path, settings: dict[str, Any], mask: dict[Role, tuple[str, ...]] | None) -> Roles:
    kind = settings.get("model_type")
    if kind == _NATIVE:
        expansion = _expansion(folder, read_json(folder / TRANSFORMER_SETTINGS).get("query_expansion"))
        if expansion and mask is None:
            what = "fills queries, and has no MultiVectorMask that lets the filling tokens score"
            raise DataError(folder / MODULES, what, "use another model")
        silent: dict[Role, tuple[str, ...]] = mask or {}
    elif kind == _PYLATE or "query_prefix" in settings or "document_prefix" in settings:
        expansion = _pylate_expansion(folder, settings)
        words = settings.get("skiplist_words")
        silent = {"document": _SILENT_BY_DEFAULT if words is None else tuple(words)}
    else:
        return Roles(query=_prompted(settings, "query"), document=_prompted(settings, "document"))
    query, document = (_marked(folder, settings, role) | {"silent": silent.get(role, ())} for role in ROLES)
    return Roles(query=RoleSettings(**query, **expansion), document=RoleSettings(**document))


def _pylate_expansion(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    if "query_expansion" in settings:
        return _expansion(folder, settings["query_expansion"])
    if settings.get("do_query_expansion") is False:
        return {}
    attends = settings.get("attend_to_expansion_tokens", settings.get("attend_to_mask_tokens"))
    return {"expand_to": int(settings.get("query_length") or 32), "attends": bool(attends)}


def _expansion(folder: Path, expansion: dict[str, Any] | None) -> dict[str, Any]:
    if not expansion:
        return {}
    strategy, width = expansion.get("strategy"), expansion.get("length")
    if strategy != "fixed" or not isinstance(width, int) or width < 1:
        what = f"fills queries by the strategy {strategy!r} to {width!r} tokens, and only 'fixed' is applied"
        raise DataError(folder / TRANSFORMER_SETTINGS, what, "use another model")
    return {"expand_to": width, "attends": bool(expansion.get("attend")), "filler": str(expansion.get("token") or "")}


def _prompted(settings: dict[str, Any], role: Role) -> RoleSettings:
    """A prompt of a single-vector model; ``passage`` and ``corpus`` are other names of the document's."""
    prompts = settings.get("prompts") or {}
    names = ("query",) if role == "query" else ("document", "passage", "corpus")
    return RoleSettings(prefix=next((prompts[name] for name in names if prompts.get(name)), ""))


def _marked(folder: Path, settings: dict[str, Any], role: Role) -> dict[str, Any]:
    """Marker and prefix of a late-interaction model: a token of the vocabulary that stands first is the marker.

    PyLate names the marker apart. sentence-transformers writes it into the prompt, where only an added token stays one
    token.
    """
    prompt = str((settings.get("prompts") or {}).get(role) or "")
    key = f"{role}_prefix"
    marker = str(settings.get(key) or "")
    text = marker + prompt.removeprefix(marker) if key in settings else prompt
    if not text.strip():
        return {"prefix": text}
    added, known = token_names(folder)
    if marker.strip():
        token = next((token for token in (marker, marker.split(None, 1)[0]) if token in known), "")
    else:
        token = max((token for token in added if text.startswith(token)), key=len, default="")
    return {"marker": token, "prefix": text.removeprefix(token)}


def _other_similarity(settings: dict[str, Any], head: list[Layer]) -> str:
    similarity = settings.get("similarity_fn_name") or "cosine"
    if settings.get("truncate_dim"):
        return f"is cut to its first {settings['truncate_dim']} numbers"
    return "" if similarity == "cosine" or "normalise" in head[-1:] else f"is compared by {similarity}, not by cosine"
