"""Moses: two files of one length, in which lines of one number translate each other."""

from itertools import zip_longest
from pathlib import Path, PurePosixPath

from optical.data.bitext.reading import Format, Pairs, Reading
from optical.data.bitext.screen import screen
from optical.data.files.archives import is_archive
from optical.data.files.inflate import CODECS
from optical.data.files.open import archive_members, lines, member_name, open_bytes
from optical.data.registry.languages import canonical, known
from optical.errors import DataError


def read(reading: Reading) -> Pairs:
    """The pairs of lines.

    Raises:
        DataError: the files have different numbers of lines, or nothing says which of them is the source.
    """
    source_path, target_path = _sides(reading)
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


def _sides(reading: Reading) -> tuple[str | Path, str | Path]:
    """The two files: as given, or the two members of an archive that are named by their languages (``x.en-sw.sw``)."""
    if len(reading.paths) == 1 and is_archive(reading.paths[0]):
        archive = reading.paths[0]
        names = archive_members(archive)
        source, target = (_of_language(archive, names, code) for code in (reading.source, reading.target))
        return f"{archive}!{source}", f"{archive}!{target}"
    if len(reading.paths) != 2:
        raise DataError("moses", f"{len(reading.paths)} files given", "give the source file and the target file")
    return _by_suffix(reading)


def _by_suffix(reading: Reading) -> tuple[str | Path, str | Path]:
    """Two files in the order of source and target: their suffixes decide where they name languages."""
    wanted = [canonical(reading.source), canonical(reading.target)]
    named = [_named_language(path, wanted) for path in reading.paths]
    first, second = reading.paths
    if named in ([wanted[1], wanted[0]], [wanted[1], None], [None, wanted[0]]) and wanted[0] != wanted[1]:
        reading.tell(_order(reading, second, first, "by their suffixes"))
        return second, first
    if any(code not in (None, expected) for code, expected in zip(named, wanted, strict=True)):
        names = " and ".join(code or "no language" for code in named)
        what = f"the suffixes say {names}, and the languages are {reading.source} and {reading.target}"
        raise DataError(f"{first}+{second}", what, "set bitext.source, or name the files by their languages")
    reading.tell(_order(reading, first, second, "by their suffixes" if any(named) else "as given"))
    return first, second


def _order(reading: Reading, source: str | Path, target: str | Path, how: str) -> str:
    names = PurePosixPath(source).name, PurePosixPath(target).name
    return f"source {reading.source} in {names[0]}, target {reading.target} in {names[1]}: {how}"


def _named_language(path: str | Path, wanted: list[str]) -> str | None:
    """The language that a file's name says: one of the wanted ones in any piece, else that of its last piece."""
    pieces = [piece for piece in reversed(member_name(path).split("/")[-1].split(".")) if piece]
    codes = [found.code for piece in pieces if (found := known(piece))]
    inside = [code for code in codes if code in wanted]
    telling = [piece for piece in pieces if f".{piece}" not in (*CODECS, ".txt")]
    last = known(telling[0]) if telling else None
    return inside[0] if inside else last.code if last else None


def _of_language(archive: str | Path, names: list[str], code: str) -> str:
    found = [name for name in names if canonical(PurePosixPath(name).suffix[1:]) == canonical(code)]
    if len(found) != 1:
        what = f"{len(found)} members end in .{code} or another code of that language"
        raise DataError(archive, what, f"name two members; it holds: {', '.join(names[:8])}")
    return found[0]


FORMAT = Format(read)
