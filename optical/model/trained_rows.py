"""Word embeddings of which only the rows that the training data contains are trained.

AdamW never moves a row without a gradient, because embeddings have no weight decay: its moments stay zero, and so does
its update. Training the other rows alone therefore gives the same weights as training the whole matrix, and gradient,
moments and update of a vocabulary of 250,000 pieces shrink to the pieces that occur.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from optical.errors import DataError


class TrainedRows(nn.Module):
    """Looks up word embeddings in a small trainable matrix; the whole matrix beside it is frozen.

    A pass without gradients (a dev measure) reads the ids that training never meets from the frozen matrix, where they
    have the values that they would have anyway.

    Args:
        whole: the embedding to replace; this module freezes it.
        ids: (rows,) sorted unique ids of the rows that are trained.
    """

    def __init__(self, whole: nn.Embedding, ids: np.ndarray) -> None:
        super().__init__()
        device = whole.weight.device
        self.whole = whole.requires_grad_(False)
        self._ids = torch.from_numpy(ids.astype(np.int64)).to(device)
        # No buffer: data-parallel training would send it to every rank in every step.
        self._places = torch.full((whole.num_embeddings,), -1, dtype=torch.int32, device=device)
        self._places[self._ids] = torch.arange(len(ids), dtype=torch.int32, device=device)
        padding = None if whole.padding_idx is None else int(self._places[whole.padding_idx])
        rows = whole.weight.detach()[self._ids]
        self.rows = nn.Embedding.from_pretrained(rows, freeze=False, padding_idx=None if padding == -1 else padding)

    def forward(self, ids: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape dim"]:
        """The embedding of each id.

        Raises:
            DataError: an id in a pass with gradients is not among the trained rows.
            IndexError: an id is outside the vocabulary.
        """
        places = self._places.index_select(0, ids.flatten()).view(ids.shape)
        others = places < 0
        if not others.any():
            return self.rows(places)
        if torch.is_grad_enabled():
            what = f"token id {int(ids[others][0])} is in a batch and not in the token shards that were read before"
            raise DataError("word embeddings", what, "delete the tokens artefact and rerun")
        return torch.where(others.unsqueeze(-1), self.whole(ids), self.rows(places.clamp(min=0)))

    @torch.no_grad()
    def put_back(self) -> nn.Embedding:
        """The whole embedding with the trained rows in their places, trainable as before."""
        self.whole.weight[self._ids] = self.rows.weight
        return self.whole.requires_grad_(True)

    def get_extra_state(self) -> Tensor:
        """Which rows the small matrix holds; a checkpoint keeps this beside the rows."""
        return self._ids.cpu()

    def set_extra_state(self, state: Tensor) -> None:
        """Check that a checkpoint holds the same rows.

        Raises:
            DataError: it holds others.
        """
        if not torch.equal(state.cpu(), self._ids.cpu()):
            what = f"a checkpoint holds {len(state)} rows of other tokens than the {len(self._ids)} that are trained"
            raise DataError("word embeddings", what, "delete the checkpoints and rerun")


def train_rows(backbone: PreTrainedModel, ids: np.ndarray) -> bool:
    """Replace the word embeddings of ``backbone`` by ``TrainedRows``, if they are a plain lookup.

    Args:
        backbone: its input embedding is replaced.
        ids: (rows,) sorted unique ids that training may meet.

    Returns:
        whether they were replaced; an embedding that also scales or renormalises is left as it is.
    """
    whole = backbone.get_input_embeddings()
    # A subclass may scale what it looks up.
    if not isinstance(whole, nn.Embedding) or type(whole).forward is not nn.Embedding.forward:
        return False
    if whole.max_norm is not None or whole.scale_grad_by_freq or whole.sparse:
        return False
    backbone.set_input_embeddings(TrainedRows(whole, ids))
    return True


def put_rows_back(backbone: PreTrainedModel) -> None:
    """Undo ``train_rows`` and keep what was learned; does nothing to other word embeddings."""
    embedding = backbone.get_input_embeddings()
    if isinstance(embedding, TrainedRows):
        backbone.set_input_embeddings(embedding.put_back())
