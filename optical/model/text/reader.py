"""The reader of a model: the only place that knows what its tokenizer does.

A reader turns texts into ids for a role. It knows special tokens, markers, prefixes and lengths, whatever the kind of
the vocabulary is: WordPiece, Unigram or byte-level BPE. It imports no torch.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer

from optical.errors import DataError
from optical.model.text.frame import Frame
from optical.model.text.roles import Role, Roles, RoleSettings, Scored
from optical.model.text.special import TOKENIZER, SpecialTokens, read_special, reading_text
from optical.model.text.tokens import IDS


class Piece(NamedTuple):
    """A token of a text, and the place of its characters in it: the first, and the one after the last."""

    token: str
    place: tuple[int, int]


@dataclass(frozen=True, eq=False)
class TextReader:
    """A tokenizer, its special tokens, and how each role uses them.

    Args:
        tokenizer: without truncation and padding; it reads spelt-out special tokens as text (``special.reading_text``).
        special: its special tokens.
        roles: how queries and documents are read.
        pad_id: id that fills up a batch; by default that of the padding token.
    """

    tokenizer: Tokenizer
    special: SpecialTokens
    roles: Roles = field(default_factory=Roles)
    pad_id: int | None = None

    @property
    def unknown(self) -> int | None:
        """Id of the token for what the vocabulary cannot spell; None if it can spell everything."""
        return self._vocabulary.get(self.special.unk)

    @cached_property
    def frames(self) -> dict[Role, Frame]:
        """The frame of each role."""
        return {"query": self._frame("query"), "document": self._frame("document")}

    def encode(self, texts: Sequence[str], role: Role, length: int | None = None) -> pa.ListArray:
        """The ids of each text (type ``IDS``), with all that the role puts around it, cut to ``length`` tokens.

        Query augmentation is not part of the ids: ``padding.pad`` adds it.
        """
        frame, prefix = self.frames[role], self.roles.of(role).prefix
        given = self._prefixed(role)
        found = self.tokenizer.encode_batch_fast([prefix + text for text in texts])
        ids = [encoding.ids for encoding in found]
        if frame.before != given:
            start = len(given)
            ids = [[*frame.before, *row[start:]] if tuple(row[:start]) == given else row for row in ids]
        if prefix:
            ids = [
                row if self._framed(row, frame) else self._apart(text, frame)
                for text, row in zip(texts, ids, strict=True)
            ]
        sentences = _lists(ids)
        return sentences if length is None else frame.cut(sentences, length)

    def own_pieces(self, texts: Sequence[str], role: Role) -> list[list[Piece]]:
        """The pieces of each text: those that ``encode`` gives ids of, without the frame, and their characters."""
        prefix, given, behind = self.roles.of(role).prefix, self._prefixed(role), len(self._around[1])
        pieces = []
        for text, found in zip(texts, self.tokenizer.encode_batch([prefix + text for text in texts]), strict=True):
            first, last, skipped = len(given), len(found) - behind, len(prefix)
            if tuple(found.ids[:first]) != given:
                found = self.tokenizer.encode(text, add_special_tokens=False)
                first, last, skipped = 0, len(found), 0
            places = [(start - skipped, end - skipped) for start, end in found.offsets[first:last]]
            pieces.append([Piece(*piece) for piece in zip(found.tokens[first:last], places, strict=True)])
        return pieces

    def with_roles(self, roles: Roles) -> "TextReader":
        """The same tokenizer with other roles."""
        return TextReader(self.tokenizer, self.special, roles, self.pad_id)

    def adapted(
        self, query_prefix: str | None, document_prefix: str | None, query_tokens: Scored | None
    ) -> "TextReader":
        """The same tokenizer with other prefixes and other scoring tokens of queries; None leaves them as they are."""
        query, document = self.roles.query, self.roles.document
        if query_prefix is not None:
            query = replace(query, prefix=query_prefix)
        if document_prefix is not None:
            document = replace(document, prefix=document_prefix)
        if query_tokens is not None:
            query = replace(query, scored=query_tokens)
        return self.with_roles(Roles(query=query, document=document))

    def with_tokenizer(self, tokenizer: Tokenizer) -> "TextReader":
        """The same roles with a tokenizer that has the same special tokens, such as an extended one."""
        return TextReader(tokenizer, self.special, self.roles, self.pad_id)

    def id_of(self, token: str, purpose: str) -> int:
        """The id of a token.

        Raises:
            DataError: the vocabulary lacks it.
        """
        if token not in self._vocabulary:
            raise DataError(TOKENIZER, f"lacks {token!r}, the {purpose}", "replace the model folder")
        return self._vocabulary[token]

    def tokens_of(self, numbers: Sequence[int]) -> tuple[str, ...]:
        """The tokens of some ids, as the vocabulary writes them."""
        names = {number: token for token, number in self._vocabulary.items()} if numbers else {}
        return tuple(names[number] for number in numbers)

    @cached_property
    def _vocabulary(self) -> dict[str, int]:
        return self.tokenizer.get_vocab()

    @cached_property
    def _around(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The special tokens that the tokenizer puts before and behind every text."""
        bare, framed = (self.tokenizer.encode("a", add_special_tokens=special).ids for special in (False, True))
        starts = [start for start in range(len(framed)) if bare and framed[start : start + len(bare)] == bare]
        if len(starts) != 1:
            what = "puts special tokens inside a text, or repeats it, so that its own tokens cannot be told apart"
            raise DataError(TOKENIZER, what, "give a model whose special tokens stand around the text")
        return tuple(framed[: starts[0]]), tuple(framed[starts[0] + len(bare) :])

    def _pieces(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def _prefixed(self, role: Role) -> tuple[int, ...]:
        """What the tokenizer itself puts before a text with the role's prefix."""
        prefix = self.roles.of(role).prefix.rstrip()
        return (*self._around[0], *(self._pieces(prefix) if prefix else ()))

    def _frame(self, role: Role) -> Frame:
        settings, (opening, after) = self.roles.of(role), self._around
        prefixed = self._prefixed(role)[len(opening) :]
        marker = (self.id_of(settings.marker, f"marker of a {role}"),) if settings.marker else ()
        filler = settings.filler or self.special.mask
        if settings.expand_to and not filler:
            raise DataError(TOKENIZER, "has no mask token, which query augmentation needs", "replace the model folder")
        return Frame(
            before=(*opening, *marker, *prefixed[1 if settings.overwrites else 0 :]),
            after=after,
            pad=self.id_of(self.special.pad, "padding token") if self.pad_id is None else self.pad_id,
            expand_to=settings.expand_to,
            filler=self.id_of(filler, "filling token") if settings.expand_to else 0,
            attends=settings.attends,
            silent=self._silent(settings),
            inner_scores=settings.scored == "inner",
        )

    def _silent(self, settings: RoleSettings) -> tuple[int, ...]:
        if settings.silent_by == "first_piece":
            return tuple(sorted({piece for text in settings.silent for piece in self._pieces(text)[:1]}))
        return tuple(sorted(self._vocabulary[text] for text in settings.silent if text in self._vocabulary))

    def _framed(self, ids: list[int], frame: Frame) -> bool:
        return tuple(ids[: len(frame.before)]) == frame.before

    def _apart(self, text: str, frame: Frame) -> list[int]:
        """The ids of a text whose first letters would join the prefix's last token: it is read by itself."""
        return [*frame.before, *self._pieces(text), *frame.after]


def load_reader(folder: Path) -> TextReader:
    """The reader of a model folder.

    Raises:
        DataError: its tokenizer is missing or damaged, or lacks a token that it needs.
    """
    from optical.model.formats.layout import read_layout

    path = Path(folder) / TOKENIZER
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        vocabulary = Tokenizer.from_str(json.dumps(content)).get_vocab()
    except FileNotFoundError:
        advice = "give a folder with tokenizer.json, which AutoTokenizer.save_pretrained writes"
        raise DataError(path, "a tokenizer is needed, and the file is missing", advice) from None
    except Exception as error:
        raise DataError(path, f"is not a tokenizer ({error})", "replace the file") from error
    layout = read_layout(Path(folder))
    special = read_special(Path(folder), vocabulary)
    reader = TextReader(reading_text(content, special, layout.roles.markers), special, layout.roles, layout.pad_id)
    _ = reader.frames  # a token that a role needs and the vocabulary lacks is missed here, before any work
    return reader


def _lists(rows: Sequence[Sequence[int]]) -> pa.ListArray:
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
    values = np.fromiter((number for row in rows for number in row), np.int32, int(offsets[-1]))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values)).cast(IDS)
