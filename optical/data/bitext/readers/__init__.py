"""Readers of bitext: one file per format. To add a format, add its file, with a ``FORMAT`` in it.

The reader of ``verse_lines.py`` is called ``verse-lines``.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path

from optical.components import names
from optical.data.bitext.reading import Format, Pairs, Reading
from optical.data.bitext.screen import Limits
from optical.errors import DataError, UserError


@cache
def formats() -> dict[str, Format]:
    """Every format of bitext by the name of its reader."""
    return {name.replace("_", "-"): import_module(f"{__name__}.{name}").FORMAT for name in names(__name__)}


@cache
def reader_by_suffix() -> dict[str, str]:
    """The reader of each ending of file names."""
    return {suffix: name for name, form in formats().items() for suffix in form.suffixes}


def read_pairs(
    paths: Sequence[str | Path],
    reader: str,
    source: str,
    target: str,
    limits: Limits,
    tell: Callable[[str], object] | None = None,
) -> Pairs:
    """Read bitext: accepted plus rejected is always the number of physical pairs, positions are 0, 1, 2, ...

    Args:
        paths: local paths or addresses. For ``moses`` the source and the target file, or one archive that holds a file
            of each language; for a reader that joins files see its docstring; for the others any number of files.
        reader: a name of ``formats``; columns may follow behind a colon, where the format has them: ``tsv:3,4``.
        source: ISO 639-3 code of the query language.
        target: ISO 639-3 code of the collection's language.
        limits: bounds on a pair.
        tell: called with a sentence for each decision about the files, before the first pair.

    Raises:
        UserError: no such reader, or one that has no columns to choose.
        DataError: a damaged file, or two Moses sides of different length (raised when the shorter one ends).
    """
    name, columns = split_columns(reader)
    form = formats().get(name)
    if form is None:
        raise UserError(f"reader {reader!r}", "does not read bitext", f"use one of {', '.join(formats())}")
    if columns and not form.columns:
        choosing = ", ".join(other for other, known in formats().items() if known.columns)
        raise UserError(f"reader {reader!r}", "has no columns to choose", f"use one of {choosing}")
    reading = Reading(tuple(paths), source, target, limits, name, columns)
    return _in_order(form.read(reading if tell is None else replace(reading, tell=tell)), reading)


def rows_name_languages(reader: str) -> bool:
    """Whether each row of a reader's files names its languages (see ``Format.labelled``)."""
    return formats()[split_columns(reader)[0]].labelled


def split_columns(reader: str) -> tuple[str, tuple[str, str] | None]:
    """A reader's name, and the source and target column behind it.

    >>> split_columns("tsv:3,4")
    ('tsv', ('3', '4'))
    """
    name, colon, columns = reader.partition(":")
    source, comma, target = columns.partition(",")
    if colon and not (source and target and "," not in target):
        raise UserError(f"reader {reader!r}", "names no two columns", f"write {name}:SOURCE,TARGET:PATH")
    return name, (source, target) if colon else None


def _in_order(pairs: Pairs, reading: Reading) -> Pairs:
    """The pairs, once their positions are checked to be 0, 1, 2, ..."""
    for number, pair in enumerate(pairs):
        if pair.position != number:
            what = f"after {number} pairs comes the one of position {pair.position}"
            raise DataError(reading.paths[0], what, f"the reader {reading.reader} is at fault: report it")
        yield pair
