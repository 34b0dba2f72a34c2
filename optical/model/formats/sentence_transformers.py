"""Folders of sentence-transformers and PyLate: ``modules.json`` lists what is applied, one after the other."""

import json
import string
from dataclasses import asdict
from pathlib import Path
from typing import Any

from optical.errors import DataError
from optical.model.formats.dense import read_dense
from optical.model.formats.layout import Layer, Layout, padding_id, read_json
from optical.model.text.roles import Role, Roles, RoleSettings

MODULES = "modules.json"
SETTINGS = "config_sentence_transformers.json"
TRANSFORMER_SETTINGS = "sentence_bert_config.json"
OWN = "optical"
"""Our own key in ``SETTINGS``: roles with all their fields, which the other keys express in part."""
_SILENT_BY_DEFAULT = tuple(string.punctuation)
_IDLE = {"Dropout"}
_POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
_NAMED_POOLINGS = {"mean": "mean", "cls": "cls"}


def recognises(folder: Path) -> bool:
    """Whether the folder has a list of modules."""
    try:
        return isinstance(json.loads((folder / MODULES).read_text(encoding="utf-8")), list)
    except (FileNotFoundError, ValueError):
        return (folder / MODULES).exists()


def read(folder: Path) -> Layout:
    """The layout that the list of modules says.

    Raises:
        DataError: a module that this project does not apply, or a file of a module is missing.
    """
    head: list[Layer] = []
    pooled: list[Layer] = []
    pooling = ""
    settings = read_json(folder / SETTINGS)
    masked: dict[str, Any] = {}
    for module in _modules(folder):
        name, path = str(module.get("type", "")).rpartition(".")[2], str(module.get("path", ""))
        layers = pooled if pooling else head
        if name == "Transformer":
            if path:
                raise DataError(folder / MODULES, f"keeps its transformer in {path}", "give that layout's flat form")
        elif name == "Dense":
            layers.append(read_dense(folder, path))
        elif name == "Normalize":
            layers.append("normalise")
        elif name == "Pooling":
            pooling = _pooling(folder / path / "config.json")
        elif name == "MultiVectorMask":
            masked = read_json(folder / path / "config.json")
            if masked.get("keep_only_token_ids") or masked.get("skiplist_tasks", ["document"]) != ["document"]:
                raise DataError(folder / path, "masks by other rules than a skiplist of documents", "use another model")
        elif name not in _IDLE:
            raise DataError(folder / MODULES, f"has a module {name}, which is not applied here", "use another model")
    if head and head[-1] == "normalise":
        head.pop()
    return Layout(
        format="sentence-transformers",
        roles=_roles(folder, settings, masked),
        head=tuple(head),
        pooling=pooling,  # type: ignore[arg-type]
        pooled_head=tuple(pooled),
        pad_id=padding_id(folder),
    )


def _modules(folder: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads((folder / MODULES).read_text(encoding="utf-8"))
        return [dict(module) for module in sorted(found, key=lambda module: module.get("idx", 0))]
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(folder / MODULES, f"is no list of modules ({error})", "replace the file") from error


def _pooling(file: Path) -> str:
    config = read_json(file)
    on = [key for key, value in config.items() if key.startswith("pooling_mode_") and value is True]
    named = _NAMED_POOLINGS.get(str(config.get("pooling_mode")))
    if named or (len(on) == 1 and on[0] in _POOLINGS):
        return named or _POOLINGS[on[0]]
    raise DataError(
        file, f"pools by {config.get('pooling_mode') or on}, and only mean and cls are applied", "use another model"
    )


def _roles(folder: Path, settings: dict[str, Any], masked: dict[str, Any]) -> Roles:
    if own := settings.get(OWN, {}).get("roles"):
        return Roles(**{role: _own(own[role]) for role in ("query", "document")})
    transformer = read_json(folder / TRANSFORMER_SETTINGS)
    pylate = settings.get("model_type") == "ColBERT"
    if not pylate and settings.get("model_type") != "MultiVectorEncoder":
        return Roles(query=_prompted(folder, settings, "query"), document=_prompted(folder, settings, "document"))
    if pylate:
        expand = int(settings.get("query_length") or 32) if settings.get("do_query_expansion", True) else 0
        attends, filler = bool(settings.get("attend_to_expansion_tokens")), ""
        words = settings.get("skiplist_words")
        silent = _SILENT_BY_DEFAULT if words is None else tuple(words)
    else:
        expansion = transformer.get("query_expansion") or {}
        if expansion.get("strategy", "fixed") != "fixed":
            what = f"fills queries by the strategy {expansion['strategy']!r}, and only 'fixed' is applied"
            raise DataError(folder / TRANSFORMER_SETTINGS, what, "use another model")
        expand, attends = int(expansion.get("length", 0)), bool(expansion.get("attend"))
        filler, silent = str(expansion.get("token") or ""), tuple(masked.get("skiplist_words") or ())
    query, document = (_marked(folder, settings, role) for role in ("query", "document"))
    return Roles(
        query=RoleSettings(**query, expand_to=expand, attends=attends, filler=filler),
        document=RoleSettings(**document, silent=silent),
    )


def _own(plain: dict[str, Any]) -> RoleSettings:
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}
    return RoleSettings(**fields)


def _prompted(folder: Path, settings: dict[str, Any], role: Role) -> RoleSettings:
    """A prompt of a single-vector model; ``passage`` is a second name of the document's."""
    prompts = settings.get("prompts") or {}
    names = ("query",) if role == "query" else ("document", "passage")
    return RoleSettings(prefix=next((prompts[name] for name in names if prompts.get(name)), ""))


def _marked(folder: Path, settings: dict[str, Any], role: Role) -> dict[str, Any]:
    """Marker and prefix of a late-interaction model; a prompt that is a token of the vocabulary is a marker."""
    prompt = str((settings.get("prompts") or {}).get(role) or "")
    if f"{role}_prefix" in settings:
        marker = str(settings[f"{role}_prefix"] or "")
        return _known(folder, marker, prompt.removeprefix(marker))
    return _known(folder, prompt, "")


def _known(folder: Path, marker: str, prefix: str) -> dict[str, Any]:
    """The marker if the vocabulary has it, with or without a space behind it; else it is text."""
    if not marker.strip():
        return {"prefix": marker + prefix}
    vocabulary = _added_and_learned(folder)
    for token in (marker, marker.split(None, 1)[0]):
        if token in vocabulary and (token == marker or marker.strip() == token):
            return {"marker": token, "prefix": prefix}
    return {"prefix": marker + prefix}


def _added_and_learned(folder: Path) -> set[str]:
    content = read_json(folder / "tokenizer.json")
    vocabulary = content.get("model", {}).get("vocab", {})
    learned = vocabulary if isinstance(vocabulary, dict) else [piece[0] for piece in vocabulary]
    return {*learned, *(token["content"] for token in content.get("added_tokens", []))}


def settings_of(roles: Roles, lengths: dict[Role, int]) -> dict[str, Any]:
    """``SETTINGS`` of a late-interaction model, as PyLate writes them, with our own key."""
    query, document = roles.query, roles.document
    return {
        "model_type": "ColBERT",
        "similarity_fn_name": "MaxSim",
        "prompts": {"query": query.prefix, "document": document.prefix},
        "default_prompt_name": None,
        "query_prefix": query.marker,
        "document_prefix": document.marker,
        "query_length": query.expand_to or lengths["query"],
        "document_length": lengths["document"],
        "do_query_expansion": query.expand_to > 0,
        "attend_to_expansion_tokens": query.attends,
        "skiplist_words": list(document.silent),
        OWN: {"roles": {"query": asdict(query), "document": asdict(document)}},
    }
