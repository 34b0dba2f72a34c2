"""Readers, frames and folders of tokenizers, for tests that make token ids by hand."""

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer
from torch import Tensor

from optical.model.storage import save_reader
from optical.model.text.frame import Frame, Frames
from optical.model.text.padding import TokenBatch
from optical.model.text.reader import TextReader
from optical.model.text.special import BERT, SpecialTokens

FRAME = Frame(before=(2,), after=(3,), pad=0)
"""The frame of a vocabulary that is learned here: one token before a text, and one behind it."""
FRAMES = Frames(FRAME, FRAME)
XLMR = SpecialTokens("<pad>", "<unk>", "<s>", "</s>", "<mask>")


def reader(tokenizer: Tokenizer) -> TextReader:
    """The reader of a tokenizer with BERT's special tokens, or with those of XLM-R and RoBERTa."""
    return TextReader(tokenizer, BERT if BERT.pad in tokenizer.get_vocab() else XLMR)


def save_tokenizer(tokenizer: Tokenizer, folder: Path, length: int = 512) -> None:
    """Write a tokenizer with BERT's special tokens as a model folder keeps it."""
    save_reader(reader(tokenizer), folder, length)


def ids_of(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """The ids of texts as queries."""
    return reader(tokenizer).encode(texts, "query").to_pylist()


def tokens_of(ids: Tensor) -> TokenBatch:
    """Ids padded with 0, in which every other token scores."""
    return TokenBatch(ids, ids > 0, ids > 0, ids > 0)
