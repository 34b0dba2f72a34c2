"""Readers that join the two languages of a set by a key: none of them relies on the order of lines alone.

The English side is held in memory, which is fine for the tens of thousands of rows such sets have.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path

from optical.data.bitext.readers.reading import Reading, json_rows, text_of
from optical.data.bitext.screen import Reject, SentencePair, screen
from optical.data.files.open import text_lines
from optical.errors import DataError

_MAX_BYTES = 1 << 20

Keyed = Iterator[tuple[str, str]]


def _join(reading: Reading, keyed: Callable[[str | Path], Keyed]) -> Iterator[SentencePair | Reject]:
    """Pairs of rows with one key, in the order of the source files.

    The first half of the paths is in the source language, the second half in the target's. A source row without a
    counterpart is rejected as ``missing``.
    """
    source_paths, target_paths = _halves(reading)
    targets = _by_key(target_paths, keyed)
    sources = _by_key(source_paths, keyed)
    for position, (key, source) in enumerate(sources.items()):
        yield screen(position, source, targets.get(key), reading.limits)


def verses(reading: Reading) -> Iterator[SentencePair | Reject]:
    """Two bibles, each ``reference<TAB>verse``, joined by reference.

    Editions divide some chapters differently, so that one reference means two texts: a chapter whose number of verses
    differs is left out whole, and its verses are not this source's pairs.
    """
    sources, targets = (_by_key([path], _references) for path in _files(reading, 2))
    yield from _same_chapters(sources, targets, reading)


def verse_lines(reading: Reading) -> Iterator[SentencePair | Reject]:
    """Two bibles with a verse a line, and the file of the lines' references; chapters as in ``verses``."""
    source_path, target_path, reference_path = _files(reading, 3)
    references = [reference.strip() for reference in _texts(reference_path)]
    sources, targets = ({} for _ in range(2))
    for path, side in ((source_path, sources), (target_path, targets)):
        for reference, verse in zip_longest(references, _texts(path)):
            if reference is None or verse is None:
                raise DataError(path, f"has not the {len(references)} lines of {reference_path}", "fetch both again")
            if verse.strip():
                side[reference] = verse
    yield from _same_chapters(sources, targets, reading)


def _same_chapters(sources: dict, targets: dict, reading: Reading) -> Iterator[SentencePair | Reject]:
    counts = [Counter(map(_chapter, side)) for side in (sources, targets)]
    same = {chapter for chapter, count in counts[0].items() if counts[1][chapter] == count}
    joined = (key for key in sources if key in targets and _chapter(key) in same)
    for position, key in enumerate(joined):
        yield screen(position, sources[key], targets[key], reading.limits)


def _chapter(reference: str) -> str:
    return reference.partition(":")[0]


def first_columns(reading: Reading) -> Iterator[SentencePair | Reject]:
    """The first column of two tables whose rows correspond."""
    source_path, target_path = _files(reading, 2)
    sides = ((line.partition("\t")[0] for line in _texts(path)) for path in (source_path, target_path))
    for position, (source, target) in enumerate(zip_longest(*sides)):
        if source is None or target is None:
            raise DataError(f"{source_path}+{target_path}", "one table has more rows", "fetch both files again")
        yield screen(position, source, target, reading.limits)


def _files(reading: Reading, wanted: int) -> Sequence[str | Path]:
    if len(reading.paths) != wanted:
        what = f"the reader {reading.reader} needs {wanted} files, and {len(reading.paths)} is given"
        raise DataError(reading.paths[0], what, "use a registered data set, or write the pairs as TSV")
    return reading.paths


def _halves(reading: Reading) -> tuple[list, list]:
    middle, odd = divmod(len(reading.paths), 2)
    if odd:
        raise DataError(reading.paths[0], f"one of {len(reading.paths)} files", "give as many files for each language")
    return list(reading.paths[:middle]), list(reading.paths[middle:])


def _by_key(paths: Iterable[str | Path], keyed: Callable[[str | Path], Keyed]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in paths:
        for key, text in keyed(path):
            if key in found:
                raise DataError(path, f"key {key!r} is there twice", "fetch the file again")
            found[key] = text
    return found


def _indexed(path: str | Path) -> Keyed:
    """SIB-200: ``index_id``, ``category`` and ``text`` under a header."""
    for number, line in enumerate(_texts(path)):
        columns = line.split("\t")
        if len(columns) != 3 or (number == 0) != (columns[0] == "index_id"):
            raise DataError(f"{path}, line {number + 1}", "not index_id, category, text", "fetch the file again")
        if number:
            yield columns[0], columns[2]


def _numbered(path: str | Path) -> Keyed:
    """MKQA: the id carries the language behind an underscore."""
    for row, _ in json_rows(path, _MAX_BYTES):
        number, question = text_of(row, "id"), text_of(row, "question")
        if number is None or question is None:
            raise DataError(path, "a row without id and question", "fetch the file again")
        yield number.partition("_")[0], question


def _references(path: str | Path) -> Keyed:
    for number, line in enumerate(_texts(path), start=1):
        reference, tab, verse = line.partition("\t")
        if not tab:
            raise DataError(f"{path}, line {number}", "no reference and verse", "fetch the file again")
        yield reference, verse


def _texts(path: str | Path) -> Iterator[str]:
    return (text for _, text in text_lines(path, _MAX_BYTES))


sib200 = partial(_join, keyed=_indexed)
mkqa = partial(_join, keyed=_numbered)
