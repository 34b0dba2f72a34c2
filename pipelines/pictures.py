"""The token alignments of a few held-out sentence pairs, by the objective that trained, as pictures for the report."""

from pathlib import Path

import numpy as np
from tokenizers import Tokenizer
from torch import Tensor

from optical.data.batches.batch import padded
from optical.data.batches.token_shards import TokenPairs, read_split
from optical.model.encoder import Encoder
from optical.objectives.base import Objective
from optical.recipe import Recipe
from optical.report.plans import PlanPicture
from optical.train.config import TrainConfig

_PICTURES = 3
_TOKENS = (8, 16)
"""Sentences of so many tokens make readable pictures."""


def plan_pictures(student: Encoder, objective: Objective, tokens: Path, train: TrainConfig) -> list[PlanPicture]:
    """The alignments that ``objective`` finds for the first readable pairs that were held out of training.

    There is no picture when the objective aligns no tokens.

    Args:
        student: the trained student.
        objective: what trained it.
        tokens: the tokens artefact it was trained on.
        train: where sentences are cut.
    """
    held_out = read_split(tokens, "dev").cut(train.source_length, train.target_length)
    batch = padded(held_out.take(_readable(held_out)))
    found = objective.alignment(student, batch)
    if found is None:
        return []
    rows, columns = found.source_mask, found.target_mask
    return [
        PlanPicture(
            source_tokens=_tokens(student.tokenizer, batch.source.ids[pair][rows[pair]]),
            target_tokens=_tokens(objective.reference(student).tokenizer, batch.target.ids[pair][columns[pair]]),
            plan=found.plan[pair][rows[pair]][:, columns[pair]].numpy(),
            source_mass=found.source_mass[pair][rows[pair]].numpy(),
            title=f"Pair {pair + 1}: {caption}",
            is_transport=found.is_transport,
        )
        for pair, caption in enumerate(found.captions)
    ]


def problem_in_words(recipe: Recipe, pictures: bool) -> str:
    """What was minimised, where sentences were cut, and, if there are pictures, which encoder they show."""
    train = recipe.train
    lengths = f"Sentences were cut to {train.source_length} source and {train.target_length} target tokens."
    if train.noise_weighting != "off":
        lengths += " Pairs whose loss lies far above the median of their batch count less (Huber's weights)."
    said = " The pictures show the trained student, on pairs held out of training." if pictures else ""
    return f"{recipe.objective.in_words()} {lengths}{said}"


def _readable(pairs: TokenPairs) -> np.ndarray:
    """The first pairs of about the right length, no source sentence twice."""
    low, high = _TOKENS
    lengths = np.stack([pairs.lengths.source, pairs.lengths.target])
    off = np.maximum(0, np.maximum(low - lengths, lengths - high)).max(axis=0)
    chosen: dict[tuple[int, ...], int] = {}
    for place in np.argsort(off, kind="stable").tolist():
        if len(chosen) < _PICTURES:
            chosen.setdefault(tuple(pairs.source_ids[place].as_py()), place)
    return np.array(list(chosen.values()))


def _tokens(tokenizer: Tokenizer, ids: Tensor) -> tuple[str, ...]:
    return tuple(tokenizer.id_to_token(number) or "" for number in ids.tolist())
