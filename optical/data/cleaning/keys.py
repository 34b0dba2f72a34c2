"""Keys: 64-bit hashes that stand for texts, and the pairs made of them.

Two different texts share one with probability 2^-64: among five million, some pair does once in a million runs.
"""

from collections.abc import Iterable

import numpy as np
from pandas.util import hash_array

_ODD = np.uint64(0x9E3779B97F4A7C15)
_KEY = "optical-bitext-1"


def hashes(texts: Iterable[str]) -> np.ndarray:
    """SipHash of each text as one unsigned 64-bit number; the same on every machine (Aumasson and Bernstein 2012).

    pandas has the one loop in machine code over Python's strings that is here already: four times as fast as hashlib's
    BLAKE2b, call by call.
    """
    return hash_array(np.array(list(texts), dtype=object), hash_key=_KEY, categorize=False)


def pair_keys(sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """One key for each pair of the hashes of its sides; the order of the sides matters."""
    return sources * _ODD + targets
