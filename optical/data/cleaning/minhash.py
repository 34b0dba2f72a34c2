"""MinHash: pairs that differ in a word or two get equal keys, most of the time.

A pair is the set of the shingles (runs of five letters or digits) of its two sides. The least of the hashes of a set is
that of another set with the probability of their Jaccard similarity J (Broder 1997, "On the resemblance and containment
of documents"). Ten such minima make a band, six bands a pair; two pairs meet when any of their bands is the same, which
happens with probability 1 - (1 - J^10)^6 (Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", ch. 3):

    J             0.5    0.6    0.7    0.8    0.85   0.9    0.95   1
    probability   0.006  0.036  0.16   0.49   0.73   0.92   0.997  1
"""

from collections.abc import Sequence

import numpy as np

BANDS, ROWS = 6, 10
_SHINGLE = 5
_END = "\n"
_ROWS_AT_ONCE = 512  # their shingles stay in the processor's cache while all minima are taken
_NONE = np.iinfo(np.uint64).max
_SALTS = (np.uint64(0x5851F42D4C957F2D), np.uint64(0x14057B7EF767814F))
_PRIME = np.uint64(0x100000001B3)
_DRAWN = np.random.Philox(1997).random_raw(BANDS * ROWS + ROWS + BANDS)  # raw ones are the same in every numpy
_FACTORS, _WEIGHTS, _BAND_SALTS = np.split(_DRAWN | np.uint64(1), [BANDS * ROWS, BANDS * ROWS + ROWS])


def band_keys(sources: Sequence[str], targets: Sequence[str]) -> np.ndarray:
    """The keys of every pair's bands, as (pairs, ``BANDS``) unsigned 64-bit numbers.

    Args:
        sources: skeletons of the query-language sides.
        targets: skeletons of the English sides.
    """
    keys = [np.empty((0, BANDS), np.uint64)]
    for start in range(0, len(sources), _ROWS_AT_ONCE):
        sides = (side[start : start + _ROWS_AT_ONCE] for side in (sources, targets))
        minima = np.minimum(*(_minima(*_shingles(side, salt)) for side, salt in zip(sides, _SALTS, strict=True)))
        bands = (minima.reshape(BANDS, ROWS, -1) * _WEIGHTS[:, None]).sum(axis=1, dtype=np.uint64)
        keys.append(_mixed(bands + _BAND_SALTS[:, None]).T)
    return np.concatenate(keys)


def _shingles(skeletons: Sequence[str], salt: np.uint64) -> tuple[np.ndarray, np.ndarray]:
    """The hashes of all shingles, text after text, and how many each text has.

    One begins at every character; those of the last four are filled up with ends, so a short text has some too.
    """
    filling = _END * (_SHINGLE - 1)
    text = filling.join(skeletons) + filling
    codes = np.frombuffer(text.encode("utf-32-le"), "<u4").astype(np.uint64)
    starts = np.flatnonzero(codes != ord(_END))
    hashes = np.full(len(starts), salt)
    for place in range(_SHINGLE):
        hashes = (hashes ^ codes[starts + place]) * _PRIME
    return _mixed(hashes), np.fromiter(map(len, skeletons), np.int64, len(skeletons))


def _minima(hashes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """For each factor the least product in each text, (factors, texts); where a text has no shingle, the largest."""
    minima = np.full((len(_FACTORS), len(counts)), _NONE)
    some = counts > 0
    if some.any():
        starts = (np.cumsum(counts) - counts)[some]
        for row, factor in zip(minima, _FACTORS, strict=True):
            row[some] = np.minimum.reduceat(hashes * factor, starts)
    return minima


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """SplitMix64's last step: every bit depends on every bit."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
