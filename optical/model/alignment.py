"""A start in the teacher's space: the matrix that takes a student's token vectors to the teacher's, in closed form.

Student and teacher read the same English sentences. Tokens that cover the same characters are aligned, and ridge
regression or an orthogonal Procrustes problem over all aligned tokens gives the student's projection. Only sums of
products are kept, never the vectors of all tokens.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from optical.errors import DataError, UserError
from optical.model.encoder import Encoder
from optical.model.head import Dense, projection
from optical.model.linear_fit import NormalEquations, procrustes, ridge
from optical.model.precision import precision
from optical.model.text.padding import pad
from optical.model.text.roles import Role
from optical.model.text.tokens import cut

AT_ONCE = 32
LENGTH = 128
"""Most tokens of a sentence in either reading, where nothing else is said."""
METHODS = ("ridge", "procrustes")
_HELD_OUT = 10
_SPACES = " \u2581\u0120"


class Reading(NamedTuple):
    """Texts as one tokenizer reads them.

    Args:
        ids: padded token ids.
        mask: which are tokens.
        spans: first character of each token in its text, and the one after its last; equal for tokens without
            characters, such as special tokens and padding.
    """

    ids: Int[Tensor, "batch tokens"]
    mask: Bool[Tensor, "batch tokens"]
    spans: Int[Tensor, "batch tokens 2"]


Reader = Callable[[Sequence[str]], Reading]
Vectors = Callable[[Reading], Tensor]


@dataclass(frozen=True)
class Projection:
    """A linear map from a student's hidden token vectors to the teacher's space, and how well it does.

    Args:
        weight: (out, in).
        bias: (out), or None.
        tokens: student tokens that it was fitted on.
        held_out_tokens: student tokens that the cosines are measured on; their sentences were not fitted on.
        cosine_before: mean cosine of the student's own embeddings and the teacher's over aligned tokens of held-out
            sentences; None if the dimensions differ.
        cosine_after: the same with this map.
    """

    weight: Float[Tensor, "out width"]
    bias: Float[Tensor, " out"] | None
    tokens: int
    held_out_tokens: int
    cosine_before: float | None
    cosine_after: float

    def layer(self) -> Dense:
        """The map as a layer of a head, in float32."""
        return projection(self.weight.float(), None if self.bias is None else self.bias.float())


def aligned_tokens(
    student: Int[Tensor, "batch source 2"], teacher: Int[Tensor, "batch target 2"]
) -> Float[Tensor, "batch source target"]:
    """How far tokens of two readings of the same texts cover the same characters, from 0 to 1.

    Args:
        student: spans of characters of the student's tokens (see ``Reading``).
        teacher: spans of the teacher's tokens.

    Returns:
        The characters in both spans, divided by those in either. Empty spans have 0.

    >>> aligned_tokens(torch.tensor([[[0, 4]]]), torch.tensor([[[0, 4], [3, 5], [4, 6]]])).tolist()[0][0]
    [1.0, 0.2, 0.0]
    """
    source, target = student.unsqueeze(2), teacher.unsqueeze(1)
    shared = torch.minimum(source[..., 1], target[..., 1]) - torch.maximum(source[..., 0], target[..., 0])
    shared = shared.clamp(min=0).double()
    sizes = (student[..., 1] - student[..., 0]).unsqueeze(2) + (teacher[..., 1] - teacher[..., 0]).unsqueeze(1)
    return shared / (sizes - shared).clamp(min=1)


def character_spans(text: str, tokens: Sequence[str], offsets: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans of the characters that each token stands for, white space left out.

    Byte-level BPE and Metaspace put the space before a word into its token, and some of their offsets contain it. A
    token that is nothing but this space has an empty span, though its offset may be that of the next letter. All bytes
    of one character have the span of the character.

    Args:
        text: as it was given to the tokenizer.
        tokens: the tokenizer's pieces.
        offsets: places of the pieces in ``text``, as the tokenizer gives them.

    >>> character_spans("un bon", ["\u2581", "un", "\u2581bon"], [(0, 1), (0, 2), (2, 6)])
    [(0, 0), (0, 2), (3, 6)]
    """
    spans = []
    for token, (first, last) in zip(tokens, offsets, strict=True):
        inside = text[first:last]
        first += len(inside) - len(inside.lstrip())
        blank = not token.strip(_SPACES) or not inside.strip()
        spans.append((first, first) if blank else (first, first + len(inside.strip())))
    return spans


def reader(encoder: Encoder, length: int, role: Role = "query") -> Reader:
    """How an encoder reads texts in a role: at most ``length`` tokens, as many as the backbone has positions for.

    The first special token before a text and the last one behind it count as one character each, so that those of two
    readings are aligned. Markers and prefixes stand for no character.
    """
    most = min(length, encoder.positions)
    frame = encoder.reader.frames[role]

    def read(texts: Sequence[str]) -> Reading:
        batch = pad(encoder.reader.encode(texts, role, most), frame)
        spans = torch.zeros((*batch.ids.shape, 2), dtype=torch.long)
        for row, text, pieces in zip(spans, texts, encoder.reader.own_pieces(texts, role), strict=True):
            own = character_spans(text, [piece.token for piece in pieces], [piece.place for piece in pieces])
            before, after = [(0, 0)] * len(frame.before), [(0, 0)] * len(frame.after)
            before[:1], after[-1:] = [(-1, 0)][: len(before)], [(len(text), len(text) + 1)][: len(after)]
            placed = [*before, *own, *after]
            kept = cut(range(len(placed)), frame.longest(most), len(after))
            row[: len(kept)] = torch.tensor([placed[place] for place in kept]).view(-1, 2)
        return Reading(batch.ids, batch.mask, spans)

    return read


def projection_between(
    student: Encoder,
    teacher: Encoder,
    sentences: Sequence[str],
    method: str = "ridge",
    length: int = LENGTH,
    read_student: Reader | None = None,
    read_teacher: Reader | None = None,
) -> Projection:
    """The linear map from the student's hidden token vectors to the teacher's unit token vectors, in closed form.

    Every tenth sentence is held out, to measure how near the mapped tokens are to the teacher's.

    Args:
        student: its projection, if it has one, is passed over.
        teacher: its embeddings are the goal.
        sentences: in a language that both read; their order does not matter much, blank ones are left out.
        method: ``"ridge"``, a matrix and a bias, or ``"procrustes"``, a rotation.
        length: most tokens of a sentence in either reading.
        read_student: reads texts for the student; by default as queries (see ``reader``).
        read_teacher: the same for the teacher.

    Raises:
        UserError: no such method.
        DataError: there are fewer aligned tokens than columns, or none is held out.
        NumericalError: a vector is not finite.
    """
    if method not in METHODS:
        raise UserError("method", f"is {method!r}", f"set one of: {', '.join(METHODS)}")
    texts = [text for text in sentences if text.strip()]
    readers = (read_student or reader(student, length), read_teacher or reader(teacher, length))
    equations = NormalEquations(student.backbone.config.hidden_size, teacher.dim)
    fitted = [text for place, text in enumerate(texts) if place % _HELD_OUT < _HELD_OUT - 1]
    for pairs in _pairs(_hidden(student), _embedded(teacher), fitted, readers):
        equations.add(*pairs)
    if equations.tokens < len(equations.gram):
        what = f"{equations.tokens} tokens of student and teacher are aligned, and {len(equations.gram)} are needed"
        raise DataError("alignment", what, "give more sentences in a language that both read")
    weight, bias = ridge(equations) if method == "ridge" else (procrustes(equations), None)
    held_out = texts[_HELD_OUT - 1 :: _HELD_OUT]
    offset = 0.0 if bias is None else bias
    mapped = _pairs(_hidden(student), _embedded(teacher), held_out, readers)
    after, tokens = _mean_cosine((ours.double() @ weight.T + offset, goal, weights) for ours, goal, weights in mapped)
    before = None
    if student.dim == teacher.dim:
        before, _ = _mean_cosine(_pairs(_embedded(student), _embedded(teacher), held_out, readers))
    return Projection(weight, bias, equations.tokens, tokens, before, after)


def _mean_cosine(pairs: Iterable[tuple[Tensor, Tensor, Tensor]]) -> tuple[float, int]:
    """The weighted mean cosine of aligned pairs, and how many tokens of the student they have."""
    total = mass = 0.0
    tokens = 0
    for mapped, goal, weights in pairs:
        aimed = weights @ nn.functional.normalize(goal.double(), dim=-1)
        total += float((nn.functional.normalize(mapped.double(), dim=-1) * aimed).sum())
        mass += float(weights.sum())
        tokens += int((weights.sum(2) > 0).sum())
    if not tokens:
        raise DataError("alignment", "no token of a held-out sentence is aligned", "give more sentences")
    return total / mass, tokens


def _pairs(
    student: Vectors, teacher: Vectors, texts: Sequence[str], readers: tuple[Reader, Reader]
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Vectors of the student, vectors of the teacher and the weights of their pairs, batch by batch."""
    ordered = sorted(texts, key=len)
    for start in range(0, len(ordered), AT_ONCE):
        ours, theirs = (read(ordered[start : start + AT_ONCE]) for read in readers)
        yield student(ours), teacher(theirs), aligned_tokens(ours.spans, theirs.spans)


def _embedded(encoder: Encoder) -> Vectors:
    """How an encoder gives unit token vectors; zeros for padding."""

    @torch.no_grad()
    def vectors(reading: Reading) -> Tensor:
        found = encoder(reading.ids.to(encoder.device), reading.mask.to(encoder.device)).cpu()
        return found.masked_fill(~reading.mask.unsqueeze(2), 0.0)

    return vectors


def _hidden(encoder: Encoder) -> Vectors:
    """How an encoder's backbone gives token vectors, before any projection; zeros for padding."""

    @torch.no_grad()
    def vectors(reading: Reading) -> Tensor:
        ids, mask = reading.ids.to(encoder.device), reading.mask.to(encoder.device)
        with precision(ids.device.type, half=False):
            found = encoder.backbone(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        return found.float().cpu().masked_fill(~reading.mask.unsqueeze(2), 0.0)

    return vectors
