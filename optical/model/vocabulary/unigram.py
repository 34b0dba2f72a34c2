"""Extending a Unigram vocabulary, such as XLM-R's, to another language."""

import math
from collections.abc import Mapping, Sequence

from tokenizers import Regex, Tokenizer, pre_tokenizers

from optical.model.vocabulary.parts import by_id, contents, counted_ids, counted_words, rebuilt
from optical.model.vocabulary.unigram_learning import learn_unigram

_SPACE = "\u2581"
_LETTERS = r"[\p{L}\p{M}]+(?:['\u2019\u02bc][\p{L}\p{M}]+)*"
_WORD_PARTS = pre_tokenizers.Split(
    Regex(rf"{_SPACE}?(?:{_LETTERS}|\p{{N}}+|[^\p{{L}}\p{{M}}\p{{N}}{_SPACE}]+)|{_SPACE}+"), "isolated"
)
"""A learned piece holds letters, digits or signs, as the pieces of SentencePiece do, and no space but its first."""

_MARGIN = 0.01
"""By so much, as a logarithm of a probability, a new piece is likelier than the old ones in its place."""

_UNKNOWN_PENALTY = 10.0
"""The library scores an unknown character so far below the lowest score of a piece."""


def extend_unigram(tokenizer: Tokenizer, texts: Sequence[str], vocabulary: int, min_frequency: int = 1) -> Tokenizer:
    """The tokenizer with the pieces of another language appended; every old id and score stays.

    A Unigram model of ``vocabulary`` pieces is learned from ``texts`` with the tokenizer's own normaliser and word
    boundaries. Pieces that the tokenizer lacks get the ids after its last one. Pieces that the texts are read with less
    than ``min_frequency`` times are left out; leaving out those that no text is read with changes no reading.

    A new piece scores a little more than the old pieces that it takes the place of. So a text is read as before, but
    for neighbours that have become one piece: names, and words of other languages, keep their pieces.
    """
    content = contents(tokenizer)
    old, letters = _with_added_tokens(content["model"]["vocab"], tokenizer)
    known = {piece for piece, _ in old}
    added = {token["content"] for token in content["added_tokens"]}
    scores = {piece: score for piece, score in content["model"]["vocab"] if piece not in added}
    learned = learn_unigram(counted_words(tokenizer, texts, _WORD_PARTS), vocabulary, min_frequency)
    new = [*replacing_scores(scores, [*(piece for piece in learned if piece not in known), *letters]).items()]
    read = counted_ids(_with_pieces(tokenizer, content, [*old, *new]), texts)
    least = max(min_frequency, 1)
    kept = [pair for number, pair in enumerate(new, start=len(old)) if read[number] >= least or pair[0] in letters]
    return _with_pieces(tokenizer, content, [*old, *kept])


def replacing_scores(old: Mapping[str, float], new: Sequence[str]) -> dict[str, float]:
    """Scores of new pieces: each that of the likeliest reading with old pieces, and a margin that breaks the tie.

    A character that no old piece has scores as the rarest old piece does.

    Args:
        old: scores (natural logarithms of probabilities) of the old pieces.
        new: pieces.

    >>> replacing_scores({"a": -5.0, "b": -4.0, "ab": -7.0}, ["abb", "c"])
    {'abb': -10.99, 'c': -7.0}
    """
    lowest, longest = min(old.values(), default=-math.inf), max(map(len, old), default=0)
    found = {}
    for piece in new:
        best = [0.0] + [-math.inf] * len(piece)
        for end in range(1, len(piece) + 1):
            best[end] = best[end - 1] + old.get(piece[end - 1], lowest)
            for start in range(max(0, end - longest), end - 1):
                best[end] = max(best[end], best[start] + old.get(piece[start:end], -math.inf))
        found[piece] = best[-1] + _MARGIN if len(piece) > 1 else best[-1]
    return found


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
