"""Loading and saving an encoder: weights, configuration, tokenizer and projection of a model folder."""

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoConfig, AutoModel, PretrainedConfig
from transformers.utils import logging as transformers_logging

from optical.errors import DataError
from optical.model.encoder import Encoder
from optical.model.folder import CONFIG, DENSE, WEIGHTS, check_folder
from optical.model.vocabulary.tokenizer import load_tokenizer, save_tokenizer

_PROJECTION = "linear.weight"


def load_encoder(folder: Path) -> Encoder:
    """Read an encoder from a folder written by ``save_encoder`` or by transformers, without dropout.

    Raises:
        DataError: the folder has no configuration, safetensors weights, or tokenizer; or they do not load.
    """
    folder = check_folder(folder)
    # The progress bars of transformers, and its report on the dropped pooler, would interrupt ours.
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        config = _without_dropout(AutoConfig.from_pretrained(folder, local_files_only=True))
        backbone = AutoModel.from_pretrained(folder, config=config, local_files_only=True, use_safetensors=True)
        projection = _load_projection(folder / DENSE)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise DataError(folder, f"weights do not load ({error})".replace("\n", " "), "replace the folder") from error
    return Encoder(backbone, load_tokenizer(folder), projection)


def save_encoder(encoder: Encoder, folder: Path) -> None:
    """Write weights (safetensors), configuration and tokenizer into an existing folder.

    ``AutoModel`` and ``AutoTokenizer`` load the folder. The projection, if there is one, is in ``1_Dense``, where
    sentence-transformers and PyLate keep it.
    """
    transformers_logging.disable_progress_bar()
    encoder.backbone.save_pretrained(folder)
    save_tokenizer(encoder.tokenizer, folder, encoder.positions)
    if encoder.projection is not None:
        _save_projection(encoder.projection, Path(folder) / DENSE)


def _without_dropout(config: PretrainedConfig) -> PretrainedConfig:
    """Dropout off: the target is fixed and dense, and training needs no random numbers."""
    for name, value in config.to_dict().items():
        if "dropout" in name and isinstance(value, float):
            setattr(config, name, 0.0)
    return config


def _load_projection(folder: Path) -> nn.Linear | None:
    if not folder.is_dir():
        return None
    weight = load_file(folder / WEIGHTS)[_PROJECTION]
    projection = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    projection.weight.data.copy_(weight)
    return projection


def _save_projection(projection: nn.Linear, folder: Path) -> None:
    folder.mkdir()
    save_file({_PROJECTION: projection.weight.detach().contiguous()}, folder / WEIGHTS)
    facts = {
        "in_features": projection.in_features,
        "out_features": projection.out_features,
        "bias": False,
        "activation_function": "torch.nn.modules.linear.Identity",
    }
    (folder / CONFIG).write_text(json.dumps(facts, indent=2) + "\n")
