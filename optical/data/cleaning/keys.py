"""Keys: 64-bit hashes that stand for texts, and the pairs made of them.

Two different texts share one with probability 2^-64: among five million, some pair does once in a million runs.
"""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

_ODD = np.uint64(0x9E3779B97F4A7C15)


def hashes(texts: Iterable[str]) -> np.ndarray:
    """BLAKE2b of each text as one unsigned 64-bit number; the same on every machine."""
    digests = b"".join(blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def pair_keys(sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """One key for each pair of the hashes of its sides; the order of the sides matters."""
    return sources * _ODD + targets
