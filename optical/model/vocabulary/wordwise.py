"""Tokenising word by word: each string between two spaces is tokenised once and cached.

A BERT tokenizer never looks across a space, and neither do ours (``letters``): the normaliser works on single
characters or on characters without a space between them, every space is a word boundary, and WordPiece sees one word.
So the tokens of a sentence are the tokens of its words in order. Few words make up most of any text, so the cache is
many times faster than WordPiece, which has none. Other tokenizers tokenise whole sentences.
"""

import json
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

from optical.model.text.reader import TextReader
from optical.model.text.roles import Role
from optical.model.text.tokens import IDS
from optical.model.vocabulary.letters import looks_across_no_space

_MOST_WORDS = 1 << 18


class WordwiseTokenizer:
    """A reader with a cache of words; ids equal those of ``TextReader.encode``.

    Args:
        reader: of a model.
        role: in which it reads.
        most_words: about how many words are cached; when there are more, the cache is emptied.
    """

    def __init__(self, reader: TextReader, role: Role, most_words: int = _MOST_WORDS) -> None:
        self._reader, self._role = reader, role
        self._most_words = most_words
        self._by_words = _splits_at_spaces(reader.tokenizer) and _ends_a_word(reader.roles.of(role).prefix)
        self._empty()

    @property
    def by_words(self) -> bool:
        """Whether the tokenizer is of a kind that can tokenise word by word."""
        return self._by_words

    def encode(self, sentences: pa.Array | pa.ChunkedArray) -> pa.ListArray:
        """The token ids of every sentence (type ``IDS``)."""
        if isinstance(sentences, pa.ChunkedArray):
            sentences = sentences.combine_chunks()
        if not self._by_words:
            return self._reader.encode(sentences.to_pylist(), self._role)
        if len(self._numbers) > self._most_words:
            self._empty()
        split = pc.split_pattern(sentences, " ")
        words = split.flatten().dictionary_encode()
        numbers = self._numbered(words.dictionary.to_pylist())[words.indices.to_numpy()]
        words_of_each = pc.list_value_length(split).to_numpy()
        return self._joined(numbers, np.concatenate([[0], np.cumsum(words_of_each)]))

    def _empty(self) -> None:
        self._numbers: dict[str, int] = {}
        self._ids = np.empty(0, np.int32)
        self._offsets = np.zeros(1, np.int64)

    def _numbered(self, words: list[str]) -> np.ndarray:
        """The positions of words in the cache; new words are added to it first."""
        if new := [word for word in words if word not in self._numbers]:
            self._numbers.update(zip(new, range(len(self._numbers), len(self._numbers) + len(new)), strict=True))
            found = _lists(self._reader.tokenizer, new)
            self._offsets = np.concatenate([self._offsets, found.offsets.to_numpy()[1:] + self._offsets[-1]])
            self._ids = np.concatenate([self._ids, found.values.to_numpy()])
        return np.fromiter(map(self._numbers.__getitem__, words), np.int64, len(words))

    def _joined(self, words: np.ndarray, sentences: np.ndarray) -> pa.ListArray:
        """Sentences of token ids.

        Args:
            words: positions in the cache of the words of all sentences.
            sentences: (sentences + 1) where the words of each sentence begin, and where the last ones end.
        """
        frame = self._reader.frames[self._role]
        before, after = frame.before, frame.after
        lengths = self._offsets[words + 1] - self._offsets[words]
        ends = np.concatenate([[0], np.cumsum(lengths)])
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
    """Whether a tokenizer is of BERT's kind or of ours, and no added token that it looks for contains white space."""
    content = json.loads(tokenizer.to_str())
    sought = [
        token["content"]
        for token in content["added_tokens"]
        if not (token["special"] and tokenizer.encode_special_tokens)
    ]
    return (
        looks_across_no_space(content["normalizer"], content["pre_tokenizer"])
        and content["model"]["type"] == "WordPiece"
        and _repeats_no_sentence(content["post_processor"] or {"type": None})
        and not any(any(map(str.isspace, token)) for token in sought)
    )


def _repeats_no_sentence(post_processor: dict) -> bool:
    if post_processor["type"] == "TemplateProcessing":
        return sum("Sequence" in piece for piece in post_processor["single"]) == 1
    return post_processor["type"] in (None, "BertProcessing")


def _ends_a_word(prefix: str) -> bool:
    return not prefix or prefix.endswith(" ")


def _lists(tokenizer: Tokenizer, texts: list[str]) -> pa.ListArray:
    found = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
    offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in found])])
    ids = np.fromiter(chain.from_iterable(found), np.int32, offsets[-1])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(ids)).cast(IDS)
