"""Tokenising word by word: what stands between two spaces is tokenised once and remembered.

A BERT tokenizer never looks across a space, and neither does one of ours (``letters``): the normaliser works character
by character, or on characters that no space parts, the word boundaries include every space, and WordPiece sees one
word. So a sentence has the tokens of its words one after the other, and as few
words make up most of any text, remembering them is many times faster than WordPiece, which has no memory.
Other tokenizers are asked sentence by sentence.
"""

import json
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

from optical.model.tokens import IDS
from optical.model.vocabulary.letters import looks_across_no_space

_MOST_WORDS = 1 << 18


class WordwiseTokenizer:
    """A tokenizer with a memory for words; ids are those of ``Tokenizer.encode_batch_fast``, special tokens included.

    Args:
        tokenizer: without truncation and padding.
        most_words: about how many words are remembered; beyond, all are forgotten.
    """

    def __init__(self, tokenizer: Tokenizer, most_words: int = _MOST_WORDS) -> None:
        self._tokenizer = tokenizer
        self._most_words = most_words
        self._frame = _frame(tokenizer) if _splits_at_spaces(tokenizer) else None
        self._forget()

    @property
    def by_words(self) -> bool:
        """Whether the tokenizer is of the kind that can be asked word by word."""
        return self._frame is not None

    def encode(self, sentences: pa.Array | pa.ChunkedArray) -> pa.ListArray:
        """The token ids of every sentence (type ``IDS``)."""
        if isinstance(sentences, pa.ChunkedArray):
            sentences = sentences.combine_chunks()
        if not self.by_words:
            return _lists(self._tokenizer, sentences.to_pylist(), add_special_tokens=True)
        if len(self._numbers) > self._most_words:
            self._forget()
        split = pc.split_pattern(sentences, " ")
        words = split.flatten().dictionary_encode()
        numbers = self._numbered(words.dictionary.to_pylist())[words.indices.to_numpy()]
        words_of_each = pc.list_value_length(split).to_numpy()
        return self._joined(numbers, np.concatenate([[0], np.cumsum(words_of_each)]))

    def _forget(self) -> None:
        self._numbers: dict[str, int] = {}
        self._ids = np.empty(0, np.int32)
        self._offsets = np.zeros(1, np.int64)

    def _numbered(self, words: list[str]) -> np.ndarray:
        """The places of words in the memory, after those not met before have been added to it."""
        if new := [word for word in words if word not in self._numbers]:
            self._numbers.update(zip(new, range(len(self._numbers), len(self._numbers) + len(new)), strict=True))
            found = _lists(self._tokenizer, new, add_special_tokens=False)
            self._offsets = np.concatenate([self._offsets, found.offsets.to_numpy()[1:] + self._offsets[-1]])
            self._ids = np.concatenate([self._ids, found.values.to_numpy()])
        return np.fromiter(map(self._numbers.__getitem__, words), np.int64, len(words))

    def _joined(self, words: np.ndarray, sentences: np.ndarray) -> pa.ListArray:
        """Sentences from the numbers of all their words and from where each one's words begin (and the last's end)."""
        lengths = self._offsets[words + 1] - self._offsets[words]
        ends = np.concatenate([[0], np.cumsum(lengths)])
        before, after = self._frame
        offsets = ends[sentences] + (len(before) + len(after)) * np.arange(len(sentences))
        ids = np.empty(offsets[-1], np.int32)
        inside = np.ones(len(ids), bool)
        for number, token in enumerate(before):
            ids[offsets[:-1] + number], inside[offsets[:-1] + number] = token, False
        for number, token in enumerate(reversed(after), start=1):
            ids[offsets[1:] - number], inside[offsets[1:] - number] = token, False
        ids[inside] = self._ids[np.arange(ends[-1]) + np.repeat(self._offsets[words] - ends[:-1], lengths)]
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(ids))


def _splits_at_spaces(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer is of BERT's kind or of ours, and no added token holds white space."""
    content = json.loads(tokenizer.to_str())
    return (
        looks_across_no_space(content["normalizer"], content["pre_tokenizer"])
        and content["model"]["type"] == "WordPiece"
        and _says_a_sentence_once(content["post_processor"] or {"type": None})
        and not any(any(map(str.isspace, token["content"])) for token in content["added_tokens"])
    )


def _says_a_sentence_once(post_processor: dict) -> bool:
    if post_processor["type"] == "TemplateProcessing":
        return sum("Sequence" in piece for piece in post_processor["single"]) == 1
    return post_processor["type"] in (None, "BertProcessing")


def _frame(tokenizer: Tokenizer) -> tuple[list[int], list[int]] | None:
    """The special tokens before and after every sentence; None where they do not frame it."""
    bare, framed = (tokenizer.encode("a", add_special_tokens=special).ids for special in (False, True))
    starts = [start for start in range(len(framed)) if bare and framed[start : start + len(bare)] == bare]
    return (framed[: starts[0]], framed[starts[0] + len(bare) :]) if len(starts) == 1 else None


def _lists(tokenizer: Tokenizer, texts: list[str], add_special_tokens: bool) -> pa.ListArray:
    found = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=add_special_tokens)]
    offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in found])])
    ids = np.fromiter(chain.from_iterable(found), np.int32, offsets[-1])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(ids)).cast(IDS)
