"""Readers: one generator per bitext format, each giving a SentencePair or a Reject for every physical pair."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from optical.data import tmx
from optical.data.filters import Limits, Reject, SentencePair, screen
from optical.data.languages import canonical
from optical.data.openers import TooLong, lines, open_bytes
from optical.errors import DataError, UserError

_KNOWN_KEYS = (("source", "target"), ("non_english", "english"), ("question", "translated_question"))


@dataclass(frozen=True)
class Reading:
    """What a reader needs to know: the files, the two languages, the limits."""

    paths: Sequence[Path]
    source: str
    target: str
    limits: Limits


def read_pairs(
    paths: Sequence[str | Path], reader: str, source: str, target: str, limits: Limits
) -> Iterator[SentencePair | Reject]:
    """Read bitext: accepted plus rejected is always the number of physical pairs, positions are 0, 1, 2, ...

    Args:
        paths: the source and the target file for ``moses``; any number of files, read in order, for the others.
        reader: ``moses``, ``tsv`` (source and target in the first two columns), ``jsonl`` or ``tmx``.
        source: ISO 639-3 code of the query language.
        target: ISO 639-3 code of the collection's language.
        limits: bounds on a pair.

    Raises:
        UserError: no such reader.
        DataError: a damaged file, or two Moses sides of different length (raised when the shorter one ends).
    """
    if reader not in _READERS:
        raise UserError(f"reader {reader!r}", "does not read bitext", f"use one of {', '.join(_READERS)}")
    return _READERS[reader](Reading([Path(path) for path in paths], source, target, limits))


def _moses(reading: Reading) -> Iterator[SentencePair | Reject]:
    if len(reading.paths) != 2:
        raise DataError("moses", f"{len(reading.paths)} files given", "give the source file and the target file")
    source_path, target_path = reading.paths
    bound = reading.limits.max_bytes
    sources = targets = 0
    with open_bytes(source_path) as source_stream, open_bytes(target_path) as target_stream:
        for source, target in zip_longest(lines(source_stream, bound), lines(target_stream, bound)):
            sources += source is not None
            targets += target is not None
            if sources == targets:
                yield screen(sources - 1, source, target, reading.limits)
    if sources != targets:
        what = f"{sources} source lines, {targets} target lines"
        raise DataError(f"{source_path}+{target_path}", what, "rebuild the shard or its manifest")


def _tsv(reading: Reading) -> Iterator[SentencePair | Reject]:
    for position, line in enumerate(_all_lines(reading)):
        if isinstance(line, TooLong):
            yield Reject(position, "too_long")
        else:
            source, target, *_ = *line.split(b"\t", 2), None
            yield screen(position, source, target, reading.limits)


def _jsonl(reading: Reading) -> Iterator[SentencePair | Reject]:
    for position, line in enumerate(_all_lines(reading)):
        if isinstance(line, TooLong):
            yield Reject(position, "too_long")
            continue
        try:
            row = json.loads(line.decode("utf-8"))
        except UnicodeError:
            yield Reject(position, "utf8")
        except (ValueError, RecursionError):
            yield Reject(position, "malformed")
        else:
            yield screen(position, *_sides(row, reading), reading.limits)


def _sides(row: object, reading: Reading) -> tuple[str | None, str | None]:
    """Source and target of a JSON row, by known key names or by language code, also inside ``translation``."""
    if isinstance(row, dict) and isinstance(row.get("translation"), dict):
        row = row["translation"]
    if not isinstance(row, dict):
        return None, None
    for keys in _KNOWN_KEYS:
        if all(key in row for key in keys):
            found = row
            break
    else:
        keys = (canonical(reading.source), canonical(reading.target))
        found = {canonical(key): value for key, value in row.items()}
    source, target = (value if isinstance(value := found.get(key), str) else None for key in keys)
    return source, target


def _tmx(reading: Reading) -> Iterator[SentencePair | Reject]:
    source, target = canonical(reading.source), canonical(reading.target)
    position = 0
    for path in reading.paths:
        with open_bytes(path) as stream:
            for unit in tmx.units(stream, path, reading.limits.max_bytes):
                yield screen(position, unit.get(source), unit.get(target), reading.limits)
                position += 1


def _all_lines(reading: Reading) -> Iterator[bytes | TooLong]:
    for path in reading.paths:
        with open_bytes(path) as stream:
            yield from lines(stream, reading.limits.max_bytes)


_READERS: dict[str, Callable[[Reading], Iterator[SentencePair | Reject]]] = {
    "moses": _moses,
    "tsv": _tsv,
    "jsonl": _jsonl,
    "tmx": _tmx,
}
