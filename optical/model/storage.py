"""Loading and saving an encoder: weights, configuration, tokenizer and projection of a model folder.

Loading is strict. No weight is drawn at random: what is missing, misshapen or left over is refused, except the parts
that no token embedding depends on (a pooler, the head of another task).
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from optical.errors import DataError
from optical.model.encoder import Encoder
from optical.model.folder import CONFIG, WEIGHTS, check_folder, read_shape
from optical.model.formats.layout import DenseLayer, Layout, read_layout
from optical.model.formats.modules import MODULES
from optical.model.formats.sentence_transformers import SETTINGS, TRANSFORMER_SETTINGS, settings_of
from optical.model.head import Dense, load_head
from optical.model.text.reader import TextReader, load_reader
from optical.model.text.roles import Role
from optical.model.text.special import with_markers

_OTHER_TASKS = (
    *("pooler.", "cls.", "lm_head.", "classifier.", "qa_outputs.", "discriminator_predictions."),
    *("generator_predictions.", "generator_lm_head.", "lm_predictions.", "mask_predictions.", "head.", "decoder."),
    *("vocab_transform.", "vocab_layer_norm.", "vocab_projector.", "predictions.", "pre_classifier."),
)
"""Beginnings of the names of weights that no token embedding depends on."""
_DERIVED = ("position_ids", "token_type_ids")
"""Ends of the names of buffers that older files keep and that are computed today."""


def load_encoder(folder: Path, pooled: bool = False) -> Encoder:
    """Read an encoder from a model folder, without dropout.

    Args:
        folder: of transformers, sentence-transformers, PyLate, ColBERT, or written by ``save_encoder``.
        pooled: one vector per text, as the folder's pooling makes it; else one per token.

    Raises:
        DataError: the folder is incomplete, contradicts itself, does not pool though it should, or its weights do not
            load as they are.
    """
    folder = check_folder(folder)
    read_shape(folder, pooled)
    layout = read_layout(folder)
    backbone = _load_backbone(folder, layout)
    width = backbone.config.hidden_size
    head = load_head(folder, layout.head, width)
    if not pooled:
        return Encoder(backbone, load_reader(folder), head)
    return Encoder(backbone, load_reader(folder), load_head(folder, layout.pooled_head, width), layout.pooling)


def save_encoder(encoder: Encoder, folder: Path, lengths: dict[Role, int] | None = None) -> None:
    """Write weights (safetensors), configuration, tokenizer and modules into an existing folder.

    ``AutoModel`` and ``AutoTokenizer`` load the folder; sentence-transformers and PyLate load it with the same vectors.

    Args:
        encoder: of token embeddings.
        folder: an existing folder.
        lengths: longest query and document in tokens, for other libraries; by default what the backbone can read.
    """
    folder = Path(folder)
    transformers_logging.disable_progress_bar()
    encoder.backbone.save_pretrained(folder)
    save_reader(encoder.reader, folder, encoder.positions)
    modules: list[dict[str, Any]] = [_module(0, "sentence_transformers.models.Transformer", "")]
    for layer in encoder.head:
        number = len(modules)
        if isinstance(layer, Dense):
            _save_dense(layer, folder / f"{number}_Dense")
            modules.append(_module(number, "pylate.models.Dense.Dense", f"{number}_Dense"))
        else:
            _save_normalise(folder / f"{number}_Normalize")
            modules.append(_module(number, "sentence_transformers.models.Normalize", f"{number}_Normalize"))
    known = lengths or {"query": encoder.positions, "document": encoder.positions}
    _write(folder / MODULES, modules)
    silent = encoder.reader.tokens_of(encoder.reader.frames["document"].silent)
    _write(folder / SETTINGS, settings_of(encoder.reader.roles, known, silent))
    _write(folder / TRANSFORMER_SETTINGS, {"max_seq_length": encoder.positions, "do_lower_case": False})


def save_reader(reader: TextReader, folder: Path, max_length: int) -> None:
    """Write the tokenizer so that ``AutoTokenizer`` loads it, and also reads spelt-out special tokens as text.

    Markers are written as added tokens that are not special, because sentence-transformers spells them in front of a
    text and needs them to stay one token.
    """
    special = reader.special
    named = {f"{name}_token": token for name, token in vars(special).items() if token}
    PreTrainedTokenizerFast(
        tokenizer_object=with_markers(reader.tokenizer, reader.roles.markers),
        model_max_length=max_length,
        split_special_tokens=True,
        model_input_names=["input_ids", "attention_mask"],
        **named,
    ).save_pretrained(folder)


def _load_backbone(folder: Path, layout: Layout) -> PreTrainedModel:
    # The progress bars of transformers, and its report on left-out weights, would interrupt ours.
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        config = _without_dropout(AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False))
        backbone, report = AutoModel.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError) as error:
        raise DataError(folder, f"weights do not load ({error})".replace("\n", " "), "replace the folder") from error
    projected = {name for layer in layout.head if isinstance(layer, DenseLayer) for name in (layer.weight, layer.bias)}
    missing = sorted(name for name in report["missing_keys"] if not _left_out(name))
    unexpected = sorted(name for name in report["unexpected_keys"] if not _left_out(name) and name not in projected)
    misshapen = sorted(str(entry[0] if isinstance(entry, tuple) else entry) for entry in report["mismatched_keys"])
    for what, names in (("lacks", missing), ("has other shapes for", misshapen), ("also has", unexpected)):
        if names:
            some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            told = f"its weights do not fit {config.model_type}: it {what} {some}"
            raise DataError(folder / WEIGHTS, told, "give the weights that belong to config.json")
    return backbone


def _left_out(name: str) -> bool:
    return name.startswith(_OTHER_TASKS) or ".pooler." in name or name.endswith(_DERIVED)


def _without_dropout(config: PretrainedConfig) -> PretrainedConfig:
    """Dropout off: the target is fixed and dense, and training needs no random numbers."""
    for name, value in config.to_dict().items():
        if ("dropout" in name or name.endswith("_pdrop")) and isinstance(value, float):
            setattr(config, name, 0.0)
    return config


def _module(number: int, kind: str, path: str) -> dict[str, Any]:
    return {"idx": number, "name": str(number), "path": path, "type": kind}


def _save_dense(layer: Dense, folder: Path) -> None:
    folder.mkdir()
    weights = {name: value.detach().contiguous() for name, value in layer.linear.named_parameters(prefix="linear")}
    save_file(weights, folder / WEIGHTS)
    facts = {
        "in_features": layer.linear.in_features,
        "out_features": layer.linear.out_features,
        "bias": layer.linear.bias is not None,
        "activation_function": f"{type(layer.activation).__module__}.{layer.activation_name}",
        "module_input_name": "token_embeddings",
        "module_output_name": "token_embeddings",
    }
    _write(folder / CONFIG, facts)


def _save_normalise(folder: Path) -> None:
    folder.mkdir()
    _write(folder / CONFIG, {"module_input_name": "token_embeddings"})


def _write(file: Path, content: object) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
