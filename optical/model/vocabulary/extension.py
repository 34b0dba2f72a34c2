"""Extending the vocabulary of any tokenizer to another language: every old id keeps its meaning."""

from collections.abc import Callable, Sequence

from tokenizers import Tokenizer

from optical.errors import DataError
from optical.model.vocabulary.bpe import extend_bpe, unextendable_bpe
from optical.model.vocabulary.parts import contents
from optical.model.vocabulary.tokenizer import extend_wordpiece
from optical.model.vocabulary.unigram import extend_unigram

_BY_KIND: dict[str, Callable[[Tokenizer, Sequence[str], int, int], Tokenizer]] = {
    "WordPiece": extend_wordpiece,
    "Unigram": extend_unigram,
    "BPE": extend_bpe,
}


def extend(tokenizer: Tokenizer, texts: Sequence[str], vocabulary: int, min_frequency: int = 1) -> Tokenizer:
    """The tokenizer with pieces of the language of ``texts`` appended after its last id; deterministic.

    Unigram and byte-level BPE keep their normaliser and their word boundaries, which lose no letter. The normaliser of
    WordPiece is replaced by one that keeps marks (see ``letters``).

    Args:
        tokenizer: WordPiece, Unigram or byte-level BPE; it is not changed.
        texts: in the language that is added.
        vocabulary: size of the vocabulary that is learned from ``texts``. Of WordPiece and Unigram, those of its pieces
            are added that the tokenizer lacks; of BPE, at most so many further pieces.
        min_frequency: how often the texts are read with a new piece at least, when it is learned.

    Raises:
        DataError: the tokenizer is of another kind, or its normaliser cannot be imitated.
    """
    content = contents(tokenizer)
    if refused := unextendable(content):
        raise DataError(
            "student.vocabulary",
            f"only a vocabulary of WordPiece, Unigram or byte-level BPE can be extended, and this one is {refused}",
            "set student.vocabulary to 0",
        )
    return _BY_KIND[content["model"]["type"]](tokenizer, texts, vocabulary, min_frequency)


def unextendable(content: dict) -> str | None:
    """The kind of a tokenizer, given as ``tokenizer.json`` has it, if that cannot be extended; None if it can."""
    kind = content["model"]["type"]
    return unextendable_bpe(content) if kind == "BPE" else None if kind in _BY_KIND else kind
