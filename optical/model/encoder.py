"""The encoder: a transformer, what follows it, and unit vectors, one per token or one per text."""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import PreTrainedModel

from optical.model.head import width_after
from optical.model.positions import positions
from optical.model.precision import precision
from optical.model.text.reader import TextReader

Pooling = Literal["", "mean", "cls"]


class Encoder(nn.Module):
    """Maps token ids to L2-normalised token embeddings; teacher and student are both of this class.

    Args:
        backbone: the transformer.
        reader: turns texts into ids. The encoder carries it and never calls it; ``encode`` does.
        head: applied to every vector of the backbone, before the last normalisation; nothing by default.
        pooling: "" for late interaction; else the text's vectors are pooled into one before ``head``.
    """

    def __init__(
        self,
        backbone: PreTrainedModel,
        reader: TextReader,
        head: nn.Sequential | None = None,
        pooling: Pooling = "",
    ) -> None:
        super().__init__()
        # A pooler reads only the first token; unused parameters would stall data-parallel training.
        if getattr(backbone, "pooler", None) is not None:
            backbone.register_module("pooler", None)
        self.backbone: PreTrainedModel = backbone
        self.head = head if head is not None else nn.Sequential()
        self.reader = reader
        self.pooling = pooling

    @property
    def tokenizer(self) -> Tokenizer:
        """The reader's tokenizer."""
        return self.reader.tokenizer

    @property
    def dim(self) -> int:
        """Dimension of the token embeddings."""
        return width_after(self.head, self.backbone.config.hidden_size)

    @property
    def positions(self) -> int:
        """Longest sentence in tokens that the backbone can read."""
        return positions(self.backbone.config)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def forward(
        self, ids: Int[Tensor, "batch tokens"], mask: Bool[Tensor, "batch tokens"]
    ) -> Float[Tensor, "batch vectors dim"]:
        """Unit embeddings: one per token, where the rows of padding hold meaningless values, or one per text.

        A forward pass with gradients multiplies in bfloat16 on a GPU. Every other pass (an index, a teacher cache, a
        query, a dev measure, the teacher of a distillation) multiplies in float32 on every device, so that a result is
        the same within rounding wherever it is computed.
        """
        with precision(ids.device.type, half=torch.is_grad_enabled()):
            hidden = self.backbone(input_ids=ids, attention_mask=mask.long()).last_hidden_state
            if self.pooling:
                hidden = _pooled(hidden, mask, self.pooling)
            hidden = self.head(hidden)
        return nn.functional.normalize(hidden.float(), dim=-1)


def _pooled(
    hidden: Float[Tensor, "batch tokens hidden"], mask: Bool[Tensor, "batch tokens"], pooling: Pooling
) -> Float[Tensor, "batch one hidden"]:
    if pooling == "cls":
        return hidden[:, :1]
    weight = mask.unsqueeze(2).to(hidden.dtype)
    return (hidden * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True)
