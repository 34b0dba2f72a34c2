"""The late-interaction encoder: a transformer, an optional projection, one unit vector per token."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, BertConfig, PretrainedConfig, PreTrainedModel
from transformers.utils import logging as transformers_logging

from optical.errors import DataError
from optical.model.config import SCRATCH_POSITIONS, ScratchShape
from optical.model.precision import precision
from optical.model.shape import positions
from optical.model.text import pad
from optical.model.tokens import cut
from optical.model.vocabulary.tokenizer import PAD, load_tokenizer, save_tokenizer
from optical.model.weights import DENSE, WEIGHTS


class Encoder(nn.Module):
    """Maps token ids to L2-normalised token embeddings; the same class serves teacher and student.

    The folder it saves is an ordinary transformers model (``AutoModel`` and ``AutoTokenizer`` load it) with the
    projection, when there is one, in ``1_Dense`` as sentence-transformers and PyLate keep it.
    """

    def __init__(self, backbone: PreTrainedModel, tokenizer: Tokenizer, projection: nn.Linear | None = None) -> None:
        super().__init__()
        # The pooler reads only [CLS]; unused parameters would stall data-parallel training.
        if getattr(backbone, "pooler", None) is not None:
            backbone.pooler = None
        self.backbone = backbone
        self.projection = projection
        self.tokenizer = tokenizer

    @property
    def dim(self) -> int:
        """Dimension of the token embeddings."""
        return self.projection.out_features if self.projection else self.backbone.config.hidden_size

    @property
    def positions(self) -> int:
        """Longest sentence in tokens that the backbone can read."""
        return positions(self.backbone.config)

    def forward(
        self, ids: Int[Tensor, "batch tokens"], mask: Bool[Tensor, "batch tokens"]
    ) -> Float[Tensor, "batch tokens dim"]:
        """Unit token embeddings; the rows of padding are defined but mean nothing.

        A forward pass that is trained on makes its products in bfloat16 on a GPU. Any other one (what an index or a
        cache keeps, a query, a dev measure, the teacher of a distillation) makes them in float32 on every device, so
        that a result is the same within rounding wherever it is made.
        """
        with precision(ids.device.type, half=torch.is_grad_enabled()):
            hidden = self.backbone(input_ids=ids, attention_mask=mask.long()).last_hidden_state
            if self.projection is not None:
                hidden = self.projection(hidden)
        return nn.functional.normalize(hidden.float(), dim=-1)

    @torch.no_grad()
    def encode(self, texts: Sequence[str], length: int) -> list[Float[Tensor, "tokens dim"]]:
        """Token embeddings of each text, special tokens included, padding dropped.

        A text is cut to ``length`` tokens, or to as many as the backbone has positions for.
        """
        if not texts:
            return []
        length = min(length, self.positions)
        encodings = [cut(encoding.ids, length) for encoding in self.tokenizer.encode_batch(list(texts))]
        ids, mask = pad(encodings)
        device = next(self.parameters()).device
        embeddings = self(ids.to(device), mask.to(device)).cpu()
        return [row[: len(encoding)] for row, encoding in zip(embeddings, encodings, strict=True)]

    def save(self, folder: Path) -> None:
        """Write weights (safetensors), configuration and tokenizer into ``folder``."""
        transformers_logging.disable_progress_bar()
        self.backbone.save_pretrained(folder)
        save_tokenizer(self.tokenizer, folder, self.positions)
        if self.projection is not None:
            dense = Path(folder) / DENSE
            dense.mkdir()
            save_file({"linear.weight": self.projection.weight.detach().contiguous()}, dense / WEIGHTS)
            facts = {
                "in_features": self.projection.in_features,
                "out_features": self.projection.out_features,
                "bias": False,
                "activation_function": "torch.nn.modules.linear.Identity",
            }
            (dense / "config.json").write_text(json.dumps(facts, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "Encoder":
        """Read an encoder from a folder written by ``save`` or by transformers.

        Raises:
            DataError: the folder has no configuration, safetensors weights, or tokenizer.
        """
        folder = Path(folder)
        for name in ("config.json", WEIGHTS, "tokenizer.json"):
            if not (folder / name).is_file():
                advice = "give a folder with config.json, model.safetensors and tokenizer.json"
                raise DataError(folder, f"a model folder needs {name}, and it is missing", advice)
        # Its bars and its report on the dropped pooler would interrupt ours.
        transformers_logging.disable_progress_bar()
        transformers_logging.set_verbosity_error()
        try:
            shape = _without_dropout(AutoConfig.from_pretrained(folder, local_files_only=True))
            backbone = AutoModel.from_pretrained(folder, config=shape, local_files_only=True, use_safetensors=True)
            projection = _load_projection(folder / DENSE)
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
            raise DataError(
                folder, f"weights do not load ({error})".replace("\n", " "), "replace the folder"
            ) from error
        return cls(backbone, load_tokenizer(folder), projection)

    @classmethod
    def scratch(cls, config: ScratchShape, tokenizer: Tokenizer, seed: int) -> "Encoder":
        """A small BERT-shaped encoder with random weights drawn from ``seed``; no dropout."""
        shape = BertConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=config.hidden,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            intermediate_size=4 * config.hidden,
            max_position_embeddings=SCRATCH_POSITIONS,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            pad_token_id=tokenizer.token_to_id(PAD),
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            backbone = AutoModel.from_config(shape)
            projection = nn.Linear(config.hidden, config.dim, bias=False)
        return cls(backbone, tokenizer, projection)


def _without_dropout(shape: PretrainedConfig) -> PretrainedConfig:
    """Dropout off: the target is fixed and dense, and training needs no random numbers."""
    for name, value in shape.to_dict().items():
        if "dropout" in name and isinstance(value, float):
            setattr(shape, name, 0.0)
    return shape


def _load_projection(folder: Path) -> nn.Linear | None:
    if not folder.is_dir():
        return None
    weight = load_file(folder / WEIGHTS)["linear.weight"]
    projection = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    projection.weight.data.copy_(weight)
    return projection
