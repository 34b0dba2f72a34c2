"""The transport plans of a few held-out sentence pairs, by the objective that trained, as pictures for the report."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from tokenizers import Tokenizer

from optical.data.batches.collate import padded
from optical.data.batches.token_shards import TokenPairs, read_split
from optical.model.encoder import Encoder
from optical.objectives.config import ObjectiveConfig
from optical.objectives.ot import TransportDistillation
from optical.ot.transported import TransportLoss
from optical.recipe import Recipe
from optical.report.plans import PlanPicture
from optical.train.config import TrainConfig

_PICTURES = 3
_TOKENS = (8, 16)
"""Sentences of so many tokens make readable pictures."""


def plan_pictures(
    student: Encoder, objective: TransportDistillation, tokens: Path, train: TrainConfig
) -> list[PlanPicture]:
    """The plans that ``objective`` finds for the first readable pairs that were held out of training.

    Args:
        student: the trained student.
        objective: what trained it.
        tokens: the tokens artefact it was trained on.
        train: where sentences are cut.
    """
    held_out = read_split(tokens, "dev").cut(train.source_length, train.target_length)
    batch = padded(_take(held_out, _readable(held_out)))
    with torch.no_grad():
        solved = objective.transport(student, batch)
    rows, columns = objective.aligned(batch.source_mask), objective.aligned(batch.target_mask)
    return [
        PlanPicture(
            source_tokens=_tokens(student.tokenizer, batch.source_ids[pair][rows[pair]]),
            target_tokens=_tokens(objective.teacher.tokenizer, batch.target_ids[pair][columns[pair]]),
            plan=solved.plan.matrix[pair][rows[pair]][:, columns[pair]].numpy(),
            source_mass=solved.plan.problem.a[pair][rows[pair]].numpy(),
            title=_told(solved, pair, objective.config),
        )
        for pair in range(batch.num_pairs)
    ]


def problem_in_words(recipe: Recipe) -> str:
    """The transport problem that was trained, with the settings its method reads and no others."""
    objective, train = recipe.objective, recipe.train
    cost = f"{objective.cost.replace('_', ' ')} cost"
    if objective.order_weight:
        cost += f" + {objective.order_weight:g} |i/n - j/m|"
    stopping = f"tolerance {objective.tolerance:g}, at most {objective.max_iterations} iterations"
    words = {"unbalanced": [f"penalty {objective.penalty:g}"], "partial": [f"mass {objective.mass:g}"]}
    own = words.get(objective.method, [])
    settings = [] if objective.method == "exact" else [f"epsilon {objective.epsilon:g}", stopping]
    parts = [f"Method {objective.method}", cost, *own, *settings]
    special = "left out" if objective.special_tokens == "drop" else "taking part"
    lengths = f"sentences cut to {train.source_length} source and {train.target_length} target tokens"
    told = f"{', '.join(parts)}; uniform masses, [CLS] and [SEP] {special}, {lengths}."
    if own:
        told += " The marginal error is against the marginals that this method asks for."
    return told + " The plans are those of the trained student, on pairs held out of training."


def _readable(pairs: TokenPairs) -> np.ndarray:
    """The first pairs of about the right length, no source sentence twice."""
    low, high = _TOKENS
    lengths = np.stack([pairs.source_lengths, pairs.target_lengths])
    off = np.maximum(0, np.maximum(low - lengths, lengths - high)).max(axis=0)
    chosen: dict[tuple[int, ...], int] = {}
    for place in np.argsort(off, kind="stable").tolist():
        if len(chosen) < _PICTURES:
            chosen.setdefault(tuple(pairs.source_ids[place].as_py()), place)
    return np.array(list(chosen.values()))


def _take(pairs: TokenPairs, places: np.ndarray) -> TokenPairs:
    rows = pa.array(places)
    return TokenPairs(pairs.dataset[places], pairs.source_ids.take(rows), pairs.target_ids.take(rows))


def _tokens(tokenizer: Tokenizer, ids: torch.Tensor) -> tuple[str, ...]:
    return tuple(tokenizer.id_to_token(number) for number in ids.tolist())


def _told(solved: TransportLoss, pair: int, config: ObjectiveConfig) -> str:
    """What the solver says of a pair; POT's simplex counts no iterations and knows no tolerance."""
    ended = "converged" if solved.converged[pair] else "NOT converged"
    told = f"Pair {pair + 1}: cost <P, C> = {solved.value[pair]:.3f}, marginal error {solved.marginal_error[pair]:.1e}"
    if config.method == "exact":
        return f"{told}, {ended}"
    return f"{told}, {ended} after {int(solved.iterations[pair])} iterations"
