"""Two bibles, each with lines of ``reference<TAB>verse``, joined by reference."""

from pathlib import Path

from optical.data.bitext.joining import Keyed, by_key, exactly, same_chapters, texts
from optical.data.bitext.reading import Format, Pairs, Reading
from optical.errors import DataError


def read(reading: Reading) -> Pairs:
    """The pairs of verses (see ``same_chapters``)."""
    sources, targets = (by_key([path], _references) for path in exactly(reading, 2))
    return same_chapters(sources, targets, reading)


def _references(path: str | Path) -> Keyed:
    for number, line in enumerate(texts(path), start=1):
        reference, tab, verse = line.partition("\t")
        if not tab:
            raise DataError(f"{path}, line {number}", "no reference and verse", "fetch the file again")
        yield reference, verse


FORMAT = Format(read)
