"""Extending a Unigram vocabulary, such as XLM-R's, to another language."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from tokenizers import Regex, Tokenizer, pre_tokenizers

from optical.model.vocabulary.parts import by_id, contents, counted_ids, counted_words, rebuilt
from optical.model.vocabulary.unigram_learning import learn_unigram

_SPACE = "\u2581"
_LETTERS = r"[\p{L}\p{M}]+(?:['\u2019\u02bc][\p{L}\p{M}]+)*"
_WORD_PARTS = pre_tokenizers.Split(
    Regex(rf"{_SPACE}?(?:{_LETTERS}|\p{{N}}+|[^\p{{L}}\p{{M}}\p{{N}}{_SPACE}]+)|{_SPACE}+"), "isolated"
)
"""A learned piece holds letters, digits or signs, as the pieces of SentencePiece do, and no space but its first."""

_UNKNOWN_PENALTY = 10.0
"""The library scores an unknown character so far below the lowest score of a piece."""


def extend_unigram(tokenizer: Tokenizer, texts: Sequence[str], vocabulary: int, min_frequency: int = 1) -> Tokenizer:
    """The tokenizer with the pieces of another language appended; every old id and score stays.

    A Unigram model of ``vocabulary`` pieces is learned from ``texts`` with the tokenizer's own normaliser and word
    boundaries. Pieces that the tokenizer lacks get the ids after its last one. Pieces that the texts are read with less
    than ``min_frequency`` times are left out; leaving out those that no text is read with changes no reading. The
    scores of both models are logarithms of probabilities, but of texts in different languages: the new ones are shifted
    by one number (see ``score_shift``).
    """
    content = contents(tokenizer)
    old, letters = _with_added_tokens(content["model"]["vocab"], tokenizer)
    known = {piece for piece, _ in old}
    learned = learn_unigram(counted_words(tokenizer, texts, _WORD_PARTS), vocabulary, min_frequency)
    added = {token["content"] for token in content["added_tokens"]}
    scores = {piece: score for piece, score in content["model"]["vocab"] if piece not in added}
    shift, lowest = score_shift(scores, learned), min(scores.values(), default=-math.inf)
    scored = {piece: max(score + shift, lowest) for piece, score in learned.items() if piece not in known}
    new = [*(scored | dict.fromkeys(letters, lowest)).items()]
    read = counted_ids(_with_pieces(tokenizer, content, [*old, *new]), texts)
    kept = [
        pair for number, pair in enumerate(new, start=len(old)) if read[number] >= min_frequency or pair[0] in letters
    ]
    return _with_pieces(tokenizer, content, [*old, *kept])


def score_shift(old: Mapping[str, float], learned: Mapping[str, float]) -> float:
    """What is added to a learned score so that it is comparable to the old ones.

    Pieces that both models have tell it: the shift is the median of the differences of their scores, each weighted by
    its learned probability, so that half of the new language's known tokens score higher and half lower than before.
    It is zero if no piece is shared.

    Args:
        old: scores (natural logarithms of probabilities) of the old pieces.
        learned: scores of the learned pieces.

    >>> score_shift({"a": -5.0, "b": -4.0, "c": -3.0}, {"a": -1.0, "b": -1.0, "c": -1.0, "d": -1.0})
    -3.0
    """
    shared = sorted((old[piece] - score, score) for piece, score in learned.items() if piece in old)
    if not shared:
        return 0.0
    differences, scores = np.array(shared).T
    mass = np.cumsum(np.exp(scores))
    return float(differences[np.searchsorted(mass, mass[-1] / 2)])


def _with_added_tokens(vocab: list[list], tokenizer: Tokenizer) -> tuple[list[tuple[str, float]], list[str]]:
    """The pieces and scores of a model, and after them the added tokens whose ids lie behind the last piece.

    The place in this list is the id, and the library numbers added tokens after it, so they would be numbered anew if
    pieces were appended. As pieces they keep their ids, with scores so low that no text is read with them. An unknown
    character would score still lower, so their unknown characters, the second result, have to become pieces.
    """
    floor = min((score for _, score in vocab), default=0.0) - _UNKNOWN_PENALTY
    behind = [piece for piece, number in by_id(tokenizer) if number >= len(vocab)]
    unknown = {character for piece in behind for character in piece if not character.isspace()}
    unknown.difference_update(piece for piece, _ in vocab)
    hidden = [(piece, (len(piece) + 1) * floor) for piece in behind]
    return [*((piece, score) for piece, score in vocab), *hidden], sorted(unknown)


def _with_pieces(tokenizer: Tokenizer, content: dict, pieces: list[tuple[str, float]]) -> Tokenizer:
    return rebuilt(content | {"model": content["model"] | {"vocab": pieces}}, tokenizer)
