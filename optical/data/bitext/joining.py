"""Joining two files of a set by a key: no reader here relies on the order of lines alone.

Both sides are held in memory, which suits the tens of thousands of rows that such sets have.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from optical.data.bitext.reading import Pairs, Reading
from optical.data.bitext.screen import screen
from optical.data.files.open import text_lines
from optical.errors import DataError

MAX_LINE_BYTES = 1 << 20
"""Longest line of a joined file."""

Keyed = Iterator[tuple[str, str]]
"""Keys and texts."""


def joined(reading: Reading, keyed: Callable[[str | Path], Keyed]) -> Pairs:
    """Pairs of rows with one key, in the order of the source files.

    The first half of the paths is in the source language, the second half in the target's. A source row without a
    counterpart is rejected as ``missing``.

    Args:
        reading: files and limits.
        keyed: gives the keys and texts of a file.

    Raises:
        DataError: the number of files is odd, or a key occurs twice on a side.
    """
    middle, odd = divmod(len(reading.paths), 2)
    if odd:
        raise DataError(reading.paths[0], f"one of {len(reading.paths)} files", "give as many files for each language")
    sources, targets = (by_key(half, keyed) for half in (reading.paths[:middle], reading.paths[middle:]))
    for position, (key, source) in enumerate(sources.items()):
        yield screen(position, source, targets.get(key), reading.limits)


def by_key(paths: Iterable[str | Path], keyed: Callable[[str | Path], Keyed]) -> dict[str, str]:
    """The texts of files by their keys.

    Raises:
        DataError: a key occurs twice.
    """
    found: dict[str, str] = {}
    for path in paths:
        for key, text in keyed(path):
            if key in found:
                raise DataError(path, f"key {key!r} is there twice", "fetch the file again")
            found[key] = text
    return found


def same_chapters(sources: Mapping[str, str], targets: Mapping[str, str], reading: Reading) -> Pairs:
    """The pairs of verses with one reference (``GEN 1:1``), of two bibles.

    Editions divide some chapters differently, so that one reference means two texts. A chapter in which the numbers of
    verses differ is left out whole, and its verses are not pairs of this source.
    """
    counts = [Counter(map(_chapter, side)) for side in (sources, targets)]
    same = {chapter for chapter, count in counts[0].items() if counts[1][chapter] == count}
    keys = (key for key in sources if key in targets and _chapter(key) in same)
    for position, key in enumerate(keys):
        yield screen(position, sources[key], targets[key], reading.limits)


def exactly(reading: Reading, count: int) -> Sequence[str | Path]:
    """The paths of a reader that needs ``count`` files.

    Raises:
        DataError: there are more or fewer.
    """
    if len(reading.paths) != count:
        what = f"the reader {reading.reader} needs {count} files, and {len(reading.paths)} is given"
        raise DataError(reading.paths[0], what, "use a registered data set, or write the pairs as TSV")
    return reading.paths


def texts(path: str | Path) -> Iterator[str]:
    """The lines of a file; one that is too long or not UTF-8 raises a DataError."""
    return (text for _, text in text_lines(path, MAX_LINE_BYTES))


def _chapter(reference: str) -> str:
    return reference.partition(":")[0]
