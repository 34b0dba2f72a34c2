"""New word pieces for the student, placed in the teacher's embedding space through the bitext.

A vocabulary made for English shreds other languages. The student's is extended with pieces learned from the
source side, and each new piece s starts at sum_t p(t | s) E[t], where p(t | s) is the word-translation table of
IBM Model 1 over the token pairs of the bitext (Brown et al. 1993) and E the teacher's input embeddings: the
same idea as WECHSEL and FOCUS, with the bitext as the dictionary.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from scipy import sparse
from torch import Tensor

from optical.model.encoder import Encoder
from optical.model.vocabulary.tokenizer import extend_wordpiece, vocabulary_size

_SWEEPS = 6
_LEAST_PROBABILITY = 0.02
_LONGEST = 64


def extended_student(teacher: Encoder, sources: Sequence[str], targets: Sequence[str], vocabulary: int) -> Encoder:
    """A copy-to-be of ``teacher`` that also reads the source language: changes and returns the given encoder.

    Args:
        teacher: a WordPiece encoder loaded for this purpose.
        sources: source side of the bitext.
        targets: its English side, line by line.
        vocabulary: size of the vocabulary learned from ``sources``.
    """
    tokenizer = extend_wordpiece(teacher.tokenizer, sources, vocabulary)
    table = translation_table(
        [encoding.ids[1:-1] for encoding in tokenizer.encode_batch(list(sources))],
        [encoding.ids[1:-1] for encoding in teacher.tokenizer.encode_batch(list(targets))],
        vocabulary_size(tokenizer),
        vocabulary_size(teacher.tokenizer),
    )
    teacher.tokenizer = tokenizer
    extend_embeddings(teacher, table)
    return teacher


def translation_table(
    sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], source_size: int, target_size: int
) -> sparse.csr_matrix:
    """IBM Model 1: p(target token | source token), a (source_size, target_size) sparse matrix, by six EM sweeps.

    Every target token of a pair is explained by one of the pair's source tokens; expected counts are
    renormalised over each source token's translations. Probabilities below 0.02 are dropped.

    >>> table = translation_table([[0], [0, 1]], [[0], [0, 1]], 2, 2)
    >>> bool(table[0, 0] > 0.9), bool(table[1, 1] > 0.8)
    (True, True)
    """
    source, target, occurrence = _co_occurrences(sources, targets)
    cells, cell = np.unique(source * target_size + target, return_inverse=True)
    cell_source = cells // target_size
    probability = np.ones(len(cells))
    for _ in range(_SWEEPS):
        weight = probability[cell]
        responsibility = weight / np.bincount(occurrence, weight)[occurrence]
        count = np.bincount(cell, responsibility, len(cells))
        probability = count / np.bincount(cell_source, count, source_size)[cell_source]
    kept = probability >= _LEAST_PROBABILITY
    where = (cell_source[kept], cells[kept] % target_size)
    return sparse.csr_matrix((probability[kept], where), shape=(source_size, target_size))


@torch.no_grad()
def extend_embeddings(encoder: Encoder, table: sparse.csr_matrix) -> None:
    """Grow the encoder's input embeddings to the table's rows; old rows stay, new rows are translated.

    A new piece without any translation starts at the mean embedding. Rows past the old vocabulary, with which some
    models round up their matrix, belong to no piece and are used up.

    Args:
        encoder: changed in place; its first rows keep their meaning.
        table: p(target token | source token), with one row per piece of the extended vocabulary, and a column per piece
            of the old one.
    """
    num_new, num_old = table.shape
    old: Float[Tensor, "tokens hidden"] = encoder.backbone.get_input_embeddings().weight[:num_old].detach().clone()
    encoder.backbone.resize_token_embeddings(num_new, mean_resizing=False)
    rows = table[num_old:]
    mass = np.asarray(rows.sum(1)).ravel()
    share = sparse.diags(1 / np.maximum(mass, _LEAST_PROBABILITY)) @ rows
    translated = torch.as_tensor(share @ old.numpy(), dtype=old.dtype)
    known = torch.as_tensor(mass > 0).unsqueeze(1)
    encoder.backbone.get_input_embeddings().weight[num_old:] = torch.where(known, translated, old.mean(0))


def _co_occurrences(
    sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All (source token, target token) cells of all pairs, and which target occurrence each belongs to."""
    cut_sources = [np.asarray(ids[:_LONGEST], dtype=np.int64) for ids in sources]
    cut_targets = [np.asarray(ids[:_LONGEST], dtype=np.int64) for ids in targets]
    first = np.cumsum([0, *map(len, cut_targets)])
    pairs = list(zip(cut_sources, cut_targets, first[:-1], strict=True))
    source = np.concatenate([np.repeat(s, len(t)) for s, t, _ in pairs])
    target = np.concatenate([np.tile(t, len(s)) for s, t, _ in pairs])
    occurrence = np.concatenate([np.tile(np.arange(len(t)) + start, len(s)) for s, t, start in pairs])
    return source, target, occurrence
