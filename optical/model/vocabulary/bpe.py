"""Extending a vocabulary of byte-level byte-pair encoding, such as RoBERTa's or ModernBERT's, to another language."""

from collections.abc import Sequence

from tokenizers import Tokenizer

from optical.model.vocabulary.merges import learn_merges
from optical.model.vocabulary.parts import by_id, contents, counted_words, rebuilt

_SPACE = "\u0120"
_LONGEST = 48
"""Most bytes of a new piece: sixteen characters of three bytes."""


def extend_bpe(tokenizer: Tokenizer, texts: Sequence[str], vocabulary: int, min_frequency: int = 1) -> Tokenizer:
    """The tokenizer with the pieces of another language appended; every old id and the order of old merges stay.

    The old merges are applied to the words of ``texts``, and learning goes on from there: the new merges come after the
    old ones, so they join only what the old ones leave apart. Pieces for bytes that the tokenizer lacks are added too.

    Args:
        tokenizer: of byte-level BPE.
        texts: in the new language.
        vocabulary: most new pieces.
        min_frequency: how often a pair of pieces occurs at least when it becomes one.
    """
    content = contents(tokenizer)
    old = dict(by_id(tokenizer))
    words = counted_words(tokenizer, texts)
    missing = sorted({character for word in words for character in word}.difference(old))
    read = _extended(tokenizer, content, old, missing, []).model
    pieces: dict[tuple[str, ...], int] = {}
    for word, count in words.items():
        cut = tuple(token.value for token in read.tokenize(word))
        pieces[cut] = pieces.get(cut, 0) + count
    added = {token["content"] for token in content["added_tokens"]}
    merges = learn_merges(
        pieces,
        {*old, *missing},
        vocabulary - len(missing),
        lambda piece: len(piece) <= _LONGEST and _SPACE not in piece[1:] and piece not in added,
        min_frequency,
    )
    return _extended(tokenizer, content, old, missing, merges)


def unextendable_bpe(content: dict) -> str | None:
    """What keeps a BPE tokenizer, given as ``tokenizer.json`` has it, from being extended; None if nothing does."""
    model = content["model"]
    for part in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"):
        if model.get(part):
            return f"BPE with {part}"
    boundaries = content["pre_tokenizer"] or {"type": None}
    steps = boundaries.get("pretokenizers", [boundaries])
    return None if any(step["type"] == "ByteLevel" for step in steps) else "BPE of characters"


def _extended(
    tokenizer: Tokenizer, content: dict, old: dict[str, int], missing: list[str], merges: list[tuple[str, str]]
) -> Tokenizer:
    """The tokenizer with more pieces: single characters, and the results of merges.

    A merge that the tokenizer has, or that is repeated, keeps its first place: its place decides when it is applied.
    """
    before = [tuple(pair.split(" ") if isinstance(pair, str) else pair) for pair in content["model"]["merges"]]
    after = [*before, *merges]
    first = 1 + max(old.values(), default=-1)
    new = [piece for piece in dict.fromkeys([*missing, *map("".join, merges)]) if piece not in old]
    vocab = old | {piece: number for number, piece in enumerate(new, start=first)}
    return rebuilt(
        content | {"model": content["model"] | {"vocab": vocab, "merges": list(dict.fromkeys(after))}}, tokenizer
    )
