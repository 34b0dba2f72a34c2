"""The late-interaction encoder: a transformer, an optional projection, one unit vector per token."""

import torch
from jaxtyping import Bool, Float, Int
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import PreTrainedModel

from optical.model.folder import positions
from optical.model.precision import precision


class Encoder(nn.Module):
    """Maps token ids to L2-normalised token embeddings; teacher and student are both of this class.

    Args:
        backbone: the transformer.
        tokenizer: defines the ids. The encoder carries it and never calls it; ``encode`` reads text with it.
        projection: from the backbone's hidden width to the embedding dimension; None keeps the hidden width.
    """

    def __init__(self, backbone: PreTrainedModel, tokenizer: Tokenizer, projection: nn.Linear | None = None) -> None:
        super().__init__()
        # The pooler reads only [CLS]; unused parameters would stall data-parallel training.
        if getattr(backbone, "pooler", None) is not None:
            backbone.register_module("pooler", None)
        self.backbone: PreTrainedModel = backbone
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

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def forward(
        self, ids: Int[Tensor, "batch tokens"], mask: Bool[Tensor, "batch tokens"]
    ) -> Float[Tensor, "batch tokens dim"]:
        """Unit token embeddings; the rows of padding hold meaningless values.

        A forward pass with gradients multiplies in bfloat16 on a GPU. Every other pass (an index, a teacher cache, a
        query, a dev measure, the teacher of a distillation) multiplies in float32 on every device, so that a result is
        the same within rounding wherever it is computed.
        """
        with precision(ids.device.type, half=torch.is_grad_enabled()):
            hidden = self.backbone(input_ids=ids, attention_mask=mask.long()).last_hidden_state
            if self.projection is not None:
                hidden = self.projection(hidden)
        return nn.functional.normalize(hidden.float(), dim=-1)
