"""A bilingual lexicon learned from sentence pairs, and the translation of texts word by word.

lexicon.parquet     source, target: words; probability: p(target | source); by source word, most probable first
"""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from optical import artefacts
from optical.data.lexicon.limits import LEAST_PROBABILITY, LONGEST, MOST_PAIRS, MOST_WORDS, SWEEPS
from optical.data.lexicon.model1 import EMPTY, model1
from optical.data.lexicon.words import spelt_words, words

KIND = "lexicon"
_FILE = "lexicon.parquet"
_SCHEMA = pa.schema([("source", pa.string()), ("target", pa.string()), ("probability", pa.float32())])

Lexicon = dict[str, tuple[str, ...]]
"""The translations of each word, most probable first."""


def learned_lexicon(sources: Sequence[str], targets: Sequence[str]) -> tuple[pa.Table, dict[str, int]]:
    """The lexicon of sentence pairs, and the numbers of pairs that were read and of words that it translates.

    Words are lower-cased. Pairs with a side of more than ``LONGEST`` words are left out, and of more than
    ``MOST_PAIRS`` pairs evenly spaced ones are read. A word has its most probable translation by IBM Model 1, and
    others of a probability of ``LEAST_PROBABILITY`` or more, ``MOST_WORDS`` at most.

    Args:
        sources: source side of the bitext.
        targets: its English side, in the same order.
    """
    step = -(-len(sources) // MOST_PAIRS) or 1
    split = ((words(source), words(target)) for source, target in zip(sources[::step], targets[::step], strict=True))
    pairs = [(source, target) for source, target in split if max(len(source), len(target)) <= LONGEST]
    found = model1([source for source, _ in pairs], [target for _, target in pairs], SWEEPS)
    rows: list[tuple[str, str, float]] = []
    rank, last = 0, EMPTY
    for source, target, probability in zip(found.source, found.target, found.probability.tolist(), strict=True):
        rank, last = (rank + 1 if source == last else 0), source
        if source != EMPTY and rank < MOST_WORDS and (rank == 0 or probability >= LEAST_PROBABILITY):
            rows.append((source, target, probability))
    columns = [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), _SCHEMA, strict=False)]
    table = pa.table(columns, _SCHEMA) if rows else _SCHEMA.empty_table()
    return table, {"pairs": len(pairs), "words": len(set(table["source"].to_pylist()))}


def write_lexicon(path: Path, made_from: str, sources: Sequence[str], targets: Sequence[str]) -> None:
    """Learn a lexicon and commit it as an artefact, with the numbers of pairs and words."""
    table, facts = learned_lexicon(sources, targets)
    with artefacts.writing(path, KIND, made_from, facts) as scratch:
        pq.write_table(table, scratch / _FILE)


def read_lexicon(folder: Path) -> Lexicon:
    """The translations of every word of a lexicon.

    Raises:
        DataError: there is no such artefact.
    """
    return as_lexicon(pq.read_table(artefacts.read(folder, KIND, verify=False).file(_FILE), schema=_SCHEMA))


def as_lexicon(table: pa.Table) -> Lexicon:
    """The translations of every word of a lexicon's table."""
    found: Lexicon = {}
    for source, target in zip(table["source"].to_pylist(), table["target"].to_pylist(), strict=True):
        found[source] = (*found.get(source, ()), target)
    return found


def word_by_word(text: str, lexicon: Lexicon) -> str:
    """Each word of a text replaced by its translations, in the order of the text.

    A word that the lexicon lacks stays as it is written, as names do, and so does a word with a digit.

    >>> word_by_word("Maji ya Nairobi 2", {"maji": ("water", "waters"), "ya": ("of",), "2": ("3",)})
    'water waters of Nairobi 2'
    """
    return " ".join(" ".join(_translated(word, lexicon)) for word in spelt_words(text))


def _translated(word: str, lexicon: Lexicon) -> tuple[str, ...]:
    return (word,) if any(map(str.isdigit, word)) else lexicon.get(word.lower(), (word,))
