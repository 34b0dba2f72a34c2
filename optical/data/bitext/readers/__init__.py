"""Readers: one generator per bitext format, each giving a SentencePair or a Reject for every physical pair."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice, zip_longest
from pathlib import Path, PurePosixPath

from optical.data.bitext.readers import joined, questions, tables, tmx
from optical.data.bitext.readers.layout import SAMPLE
from optical.data.bitext.readers.reading import Reading, json_rows, sides, tell_fields, text_of
from optical.data.bitext.screen import Limits, Reject, SentencePair, screen
from optical.data.files.archives import is_archive
from optical.data.files.inflate import CODECS
from optical.data.files.open import archive_members, lines, member_name, open_bytes
from optical.data.registry.languages import canonical, known
from optical.errors import DataError, UserError

Reader = Callable[[Reading], Iterator[SentencePair | Reject]]


def read_pairs(
    paths: Sequence[str | Path],
    reader: str,
    source: str,
    target: str,
    limits: Limits,
    tell: Callable[[str], object] | None = None,
) -> Iterator[SentencePair | Reject]:
    """Read bitext: accepted plus rejected is always the number of physical pairs, positions are 0, 1, 2, ...

    Args:
        paths: local paths or addresses. For ``moses`` the source and the target file, or one archive that holds a file
            of each language; for a joined reader what it says; for the others any number of files, read in order.
        reader: a name of ``READERS``; one of ``CHOOSING`` may name its two columns behind a colon: ``tsv:3,4``.
        source: ISO 639-3 code of the query language.
        target: ISO 639-3 code of the collection's language.
        limits: bounds on a pair.
        tell: is given a sentence for each thing that was decided about the files, before the first pair.

    Raises:
        UserError: no such reader, or one that has no columns to choose.
        DataError: a damaged file, or two Moses sides of different length (raised when the shorter one ends).
    """
    name, columns = split_columns(reader)
    if name not in READERS:
        raise UserError(f"reader {reader!r}", "does not read bitext", f"use one of {', '.join(READERS)}")
    if columns and name not in CHOOSING:
        raise UserError(f"reader {reader!r}", "has no columns to choose", f"use one of {', '.join(CHOOSING)}")
    reading = Reading(tuple(paths), source, target, limits, name, columns)
    return _in_order(READERS[name](reading if tell is None else replace(reading, tell=tell)), reading)


def split_columns(reader: str) -> tuple[str, tuple[str, str] | None]:
    """A reader's name, and the source and target column that stand behind it.

    >>> split_columns("tsv:3,4")
    ('tsv', ('3', '4'))
    """
    name, colon, columns = reader.partition(":")
    source, comma, target = columns.partition(",")
    if colon and not (source and target and "," not in target):
        raise UserError(f"reader {reader!r}", "names no two columns", f"write {name}:SOURCE,TARGET:PATH")
    return name, (source, target) if colon else None


def _in_order(pairs: Iterator[SentencePair | Reject], reading: Reading) -> Iterator[SentencePair | Reject]:
    """The pairs, of which none may be missing: positions are 0, 1, 2, ..."""
    for number, pair in enumerate(pairs):
        if pair.position != number:
            what = f"after {number} pairs comes the one of position {pair.position}"
            raise DataError(reading.paths[0], what, f"the reader {reading.reader} is at fault: report it")
        yield pair


def _moses(reading: Reading) -> Iterator[SentencePair | Reject]:
    source_path, target_path = _moses_sides(reading)
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


def _moses_sides(reading: Reading) -> tuple[str | Path, str | Path]:
    """The two files: as given, or the two members of an archive that are named by their languages (``x.en-sw.sw``)."""
    if len(reading.paths) == 1 and is_archive(reading.paths[0]):
        archive = reading.paths[0]
        names = archive_members(archive)
        found = [_of_language(archive, names, code) for code in (reading.source, reading.target)]
        return tuple(f"{archive}!{name}" for name in found)
    if len(reading.paths) != 2:
        raise DataError("moses", f"{len(reading.paths)} files given", "give the source file and the target file")
    return _by_suffix(reading)


def _by_suffix(reading: Reading) -> tuple[str | Path, str | Path]:
    """Two files in the order of source and target: their suffixes decide where they name languages."""
    wanted = [canonical(reading.source), canonical(reading.target)]
    said = [_said(path, wanted) for path in reading.paths]
    first, second = reading.paths
    if said in ([wanted[1], wanted[0]], [wanted[1], None], [None, wanted[0]]) and wanted[0] != wanted[1]:
        reading.tell(_moses_order(reading, second, first, "by their suffixes"))
        return second, first
    if any(code not in (None, expected) for code, expected in zip(said, wanted, strict=True)):
        names = " and ".join(code or "no language" for code in said)
        what = f"the suffixes say {names}, and the languages are {reading.source} and {reading.target}"
        raise DataError(f"{first}+{second}", what, "set bitext.source, or name the files by their languages")
    how = "by their suffixes" if any(said) else "as given"
    reading.tell(_moses_order(reading, first, second, how))
    return first, second


def _moses_order(reading: Reading, source: str | Path, target: str | Path, how: str) -> str:
    names = PurePosixPath(source).name, PurePosixPath(target).name
    return f"source {reading.source} in {names[0]}, target {reading.target} in {names[1]}: {how}"


def _said(path: str | Path, wanted: list[str]) -> str | None:
    """The language that a file's name says: one of the wanted ones in any piece, else that of its last piece."""
    pieces = [piece for piece in reversed(member_name(path).split("/")[-1].split(".")) if piece]
    codes = [found.code for piece in pieces if (found := known(piece))]
    inside = [code for code in codes if code in wanted]
    telling = [piece for piece in pieces if f".{piece}" not in (*CODECS, ".txt")]
    last = known(telling[0]) if telling else None
    return inside[0] if inside else last and last.code


def _of_language(archive: str | Path, names: list[str], code: str) -> str:
    found = [name for name in names if canonical(PurePosixPath(name).suffix[1:]) == canonical(code)]
    if len(found) != 1:
        what = f"{len(found)} members end in .{code} or another code of that language"
        raise DataError(archive, what, f"name two members; it holds: {', '.join(names[:8])}")
    return found[0]


def _jsonl(reading: Reading) -> Iterator[SentencePair | Reject]:
    position = 0
    for path in reading.paths:
        rows = json_rows(path, reading.limits.max_bytes)
        head = list(islice(rows, SAMPLE))
        tell_fields((row for row, _ in head), reading, path)
        for row, reason in chain(head, rows):
            yield Reject(position, reason) if reason else screen(position, *sides(row, reading), reading.limits)
            position += 1


def _webfaq(reading: Reading) -> Iterator[SentencePair | Reject]:
    """WebFAQ bitext: each row of the two languages, in either order, is a pair of questions and a pair of answers.

    Rows of other languages are not this source's pairs: they are passed over without a count. Rows of the first
    edition do not say their languages; those are in the file's name (``eng_swa.jsonl``).
    """
    position = 0
    for path in reading.paths:
        named = PurePosixPath(member_name(path)).name.partition(".")[0].split("_")
        for row, reason in json_rows(path, reading.limits.max_bytes):
            order = _order(row, named, reading) if reason is None else None
            for part in ("question", "answer") if order else ():
                source, target = (text_of(row, f"{part}{number}") for number in order)
                yield screen(position, source, target, reading.limits)
                position += 1
            if reason:
                yield Reject(position, reason)
                position += 1


def _order(row: object, named: list[str], reading: Reading) -> tuple[int, int] | None:
    """Which side of a WebFAQ row is the source and which the target; ``None`` for a row of other languages."""
    given = [text_of(row, f"language{number}") for number in (1, 2)]
    languages = [canonical(code) for code in (named if None in given else given)]
    wanted = [canonical(reading.source), canonical(reading.target)]
    return (1, 2) if languages == wanted else (2, 1) if languages[::-1] == wanted else None


READERS: dict[str, Reader] = {
    "moses": _moses,
    "tsv": tables.tsv,
    "tsv-english-first": tables.tsv_english_first,
    "csv": tables.comma_separated,
    "jsonl": _jsonl,
    "tmx": tmx.pairs,
    "parquet": tables.parquet,
    "webfaq": _webfaq,
    "squad": questions.squad,
    "nq-oracle": questions.nq_oracle,
    "selqa": questions.selqa,
    "pubmedqa": questions.pubmedqa,
    "sib200": joined.sib200,
    "mkqa": joined.mkqa,
    "first-columns": joined.first_columns,
    "verses": joined.verses,
    "verse-lines": joined.verse_lines,
}
"""Every reader of bitext by name."""

CHOOSING = ("tsv", "csv", "parquet", "jsonl")
"""Readers whose two columns or fields a user may choose."""

LABELLED = frozenset({"webfaq"})
"""Readers of rows that say their own languages, of which the first wanted one may stand far behind."""
