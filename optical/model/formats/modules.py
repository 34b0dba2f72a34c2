"""The modules of sentence-transformers and PyLate, each read from its own configuration."""

import json
from pathlib import Path
from typing import Any

from optical.errors import DataError
from optical.model.formats.layout import CONFIG, WEIGHTS, DenseLayer, Layer
from optical.model.text.json_object import read_json
from optical.model.text.roles import Role

MODULES = "modules.json"
_TRANSFORMER_SETTINGS = "sentence_bert_config.json"
_POOLINGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "mean": "mean",
    "cls": "cls",
}
_UNUSUAL = {
    "do_lower_case": "writes texts in lower case before its tokenizer reads them",
    "processing_kwargs": "calls its tokenizer with other arguments",
}
"""Settings of the transformer that change what it reads."""


def modules_of(folder: Path) -> list[dict[str, Any]]:
    """The list of modules, in order.

    Raises:
        DataError: it is no such list.
    """
    try:
        found = json.loads((folder / MODULES).read_text(encoding="utf-8"))
        return [dict(module) for module in sorted(found, key=lambda module: module.get("idx", 0))]
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(folder / MODULES, f"is no list of modules ({error})", "replace the file") from error


def check_transformer(folder: Path, path: str) -> None:
    """Refuse a transformer that is not in the folder itself, or that does more than read texts as they are."""
    if path:
        advice = "load and save it with sentence-transformers, which writes it into the folder itself"
        raise DataError(folder / MODULES, f"keeps its transformer in the subfolder {path}", advice)
    settings = read_json(folder / _TRANSFORMER_SETTINGS)
    task = settings.get("transformer_task", "feature-extraction")
    others = [kind for kind in settings.get("modality_config", {}) if kind != "text"]
    unusual = [what for key, what in _UNUSUAL.items() if settings.get(key)]
    if task != "feature-extraction":
        unusual.append(f"is loaded for the task {task}")
    if others:
        unusual.append(f"also reads {', '.join(others)}")
    if unusual:
        raise DataError(folder / _TRANSFORMER_SETTINGS, f"{unusual[0]}, which is not applied here", "use another model")


def dense(folder: Path, path: str, vectors: str) -> DenseLayer:
    """A linear layer with its activation.

    Args:
        folder: model folder.
        path: of the module in it.
        vectors: name of what the layer must be applied to, ``token_embeddings`` or ``sentence_embedding``.

    Raises:
        DataError: a fact is missing, or is not applied here.
    """
    file = folder / path / CONFIG
    config = read_json(file)
    try:
        inputs, outputs, bias = int(config["in_features"]), int(config["out_features"]), bool(config["bias"])
        activation = str(config["activation_function"])
    except (KeyError, TypeError, ValueError) as error:
        what = f"does not give shape and activation of a linear layer ({error!r})"
        raise DataError(file, what, "replace the file") from error
    if config.get("use_residual"):
        raise DataError(file, "has a residual connection, which is not applied here", "use another model")
    _check_vectors(file, config, vectors, vectors)
    module, _, name = activation.rpartition(".")
    if module != "torch.nn" and not module.startswith("torch.nn.modules."):
        what = f"has the activation {activation}, and only those of torch.nn are applied"
        raise DataError(file, what, "use another model")
    weights, linear_bias = f"{path}/{WEIGHTS}", "linear.bias" if bias else ""
    return DenseLayer(inputs=inputs, outputs=outputs, weights=weights, bias=linear_bias, activation=name)


def normalises(folder: Path, vectors: str) -> list[Layer]:
    """One normalisation of the vectors that the folder's module names; the text's vector by default.

    Raises:
        DataError: it normalises other vectors.
    """
    _check_vectors(folder / CONFIG, read_json(folder / CONFIG), vectors, "sentence_embedding")
    return ["normalise"]


def pooling(file: Path) -> tuple[str, str]:
    """How a text's vectors become one, ``mean`` or ``cls``; or nothing, and why it is not computed here."""
    config = read_json(file)
    named = config.get("pooling_mode")
    on = [named] if named else [key for key, value in config.items() if key.startswith("pooling_mode_") and value]
    if len(on) != 1 or not isinstance(on[0], str) or on[0] not in _POOLINGS:
        return "", f"is pooled by {on}, and only mean and cls are applied"
    if config.get("include_prompt") is False:
        return "", "is pooled without the prompt"
    return _POOLINGS[on[0]], ""


def masked(file: Path) -> dict[Role, tuple[str, ...]]:
    """The tokens that do not score, by role.

    Raises:
        DataError: the mask has other rules.
    """
    config = read_json(file)
    tasks = config.get("skiplist_tasks") or ["document"]
    roles: list[Role] = [role for role in ("query", "document") if role in tasks]  # type: ignore[misc]
    if config.get("keep_only_token_ids") or len(roles) != len([tasks] if isinstance(tasks, str) else tasks):
        raise DataError(
            file, "masks by other rules than a list of tokens for queries and documents", "use another model"
        )
    return {role: tuple(config.get("skiplist_words") or ()) for role in roles}


def _check_vectors(file: Path, config: dict[str, Any], wanted: str, default: str) -> None:
    given = config.get("module_input_name") or default
    made = config.get("module_output_name") or given
    if (given, made) != (wanted, wanted):
        what = f"makes {made} of {given}, where {wanted} is read"
        raise DataError(file, what, "use another model")
