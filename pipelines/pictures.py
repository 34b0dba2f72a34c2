"""The transport plans of a few sentence pairs, as pictures for the report."""

from pathlib import Path

import pyarrow.parquet as pq
import torch

from optical.config import Recipe
from optical.data.shards import pair_shards
from optical.evaluation.plots import PlanPicture
from optical.model.encoder import Encoder
from optical.ot.loss import transport_loss

_PICTURES = 3
_WORDS = (5, 9)
"""Sentences of this many words make readable pictures."""


def plan_pictures(student: Encoder, teacher: Encoder, bitext: Path, recipe: Recipe) -> list[PlanPicture]:
    """Plans between the student's source tokens and the teacher's target tokens for the first readable pairs."""
    table = pq.read_table(pair_shards(bitext)[0], columns=["source", "target"]).to_pylist()
    low, high = _WORDS
    readable = [pair for pair in table if all(low <= len(pair[side].split()) <= high for side in ("source", "target"))]
    distinct = {pair["source"]: pair for pair in readable or table}
    chosen = list(distinct.values())[:_PICTURES]
    return [_picture(student, teacher, pair["source"], pair["target"], recipe) for pair in chosen]


def _picture(student: Encoder, teacher: Encoder, source: str, target: str, recipe: Recipe) -> PlanPicture:
    source_tokens = student.encode([source], recipe.train.source_length)[0][1:-1].unsqueeze(0)
    target_tokens = teacher.encode([target], recipe.train.target_length)[0][1:-1].unsqueeze(0)
    result = transport_loss(
        source_tokens,
        target_tokens,
        torch.ones(source_tokens.shape[:2], dtype=torch.bool),
        torch.ones(target_tokens.shape[:2], dtype=torch.bool),
        epsilon=recipe.objective.epsilon,
        tolerance=recipe.objective.tolerance,
        max_iterations=recipe.objective.max_iterations,
    )
    return PlanPicture(
        source_tokens=tuple(student.tokenizer.encode(source).tokens[1:-1][: source_tokens.shape[1]]),
        target_tokens=tuple(teacher.tokenizer.encode(target).tokens[1:-1][: target_tokens.shape[1]]),
        plan=result.plan.matrix[0].numpy(),
        title=f"<P, C> = {result.value.item():.3f}",
    )
