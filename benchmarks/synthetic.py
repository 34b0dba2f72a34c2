"""A bitext of any size, made on the fly: words of syllables, as frequent as words are, in sentences of a dozen."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np

_VOWELS = "aeiou"
_CONSONANTS = {"source": "bdfhkmnstwz", "target": "bcfglmprstv"}
_WORDS = 20_000
_PAIRS_PER_BLOCK = 20_000
_MEDIAN_WORDS = 12
_FAULT_EVERY = 200


def write_corpus(path: Path, pairs: int, seed: int = 0) -> None:
    """Write ``pairs`` lines of two tab-separated sentences; half a per cent lack a side, and as many come twice."""
    generator = np.random.default_rng(seed)
    sides = [_words(letters, generator) for letters in _CONSONANTS.values()]
    with path.open("w", encoding="utf-8") as file:
        before = ""
        for number, (source, target) in enumerate(_sentences(sides, pairs, generator)):
            line = f"{source}\t{target}\n"
            if number % _FAULT_EVERY == 7:
                line = f"{source}\t\n"
            elif number % _FAULT_EVERY == 107:
                line = before
            file.write(line)
            before = line


def _words(consonants: str, generator: np.random.Generator) -> np.ndarray:
    syllables = ["".join(parts) for parts in product(consonants, _VOWELS)]
    words = ["".join(parts) for count in (1, 2, 3) for parts in product(syllables, repeat=count)]
    return np.array(generator.choice(words, _WORDS, replace=False), dtype=object)


def _sentences(sides: list[np.ndarray], pairs: int, generator: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Pairs of sentences; a target has about as many words as its source, each drawn by Zipf's law."""
    cumulated = np.cumsum(1 / (np.arange(_WORDS) + 2.7))
    cumulated /= cumulated[-1]
    for start in range(0, pairs, _PAIRS_PER_BLOCK):
        count = min(_PAIRS_PER_BLOCK, pairs - start)
        lengths = _MEDIAN_WORDS * generator.lognormal(0, 0.5, count)
        block = []
        for words in sides:
            ends = np.cumsum(np.clip(lengths * generator.normal(1, 0.1, count), 3, 80).astype(int))
            drawn = words[np.searchsorted(cumulated, generator.random(ends[-1]))].tolist()
            block.append([" ".join(drawn[first:last]) for first, last in zip([0, *ends[:-1]], ends, strict=True)])
        yield from zip(*block, strict=True)
