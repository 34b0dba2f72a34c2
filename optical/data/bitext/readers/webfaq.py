"""WebFAQ bitext: each row of the two languages, in either order, is a pair of questions and a pair of answers.

Rows of other languages are not pairs of this source: they are skipped without a count. Rows of the first edition do not
name their languages; the file's name does (``eng_swa.jsonl``).
"""

from pathlib import PurePosixPath

from optical.data.bitext.reading import Format, Pairs, Reading, json_rows, text_of
from optical.data.bitext.screen import Reject, screen
from optical.data.files.open import member_name
from optical.data.registry.languages import canonical


def read(reading: Reading) -> Pairs:
    """The pairs of questions and of answers."""
    position = 0
    for path in reading.paths:
        named = PurePosixPath(member_name(path)).name.partition(".")[0].split("_")
        for row, reason in json_rows(path, reading.limits.max_bytes):
            order = _order(row, named, reading) if reason is None else None
            for part in ("question", "answer") if order else ():
                source, target = (text_of(row, f"{part}{number}") for number in order or ())
                yield screen(position, source, target, reading.limits)
                position += 1
            if reason:
                yield Reject(position, reason)
                position += 1


def _order(row: object, named: list[str], reading: Reading) -> tuple[int, int] | None:
    """Which side of a row is the source and which the target; ``None`` for a row of other languages."""
    given = [text_of(row, f"language{number}") for number in (1, 2)]
    languages = [canonical(code or "") for code in (named if None in given else given)]
    wanted = [canonical(reading.source), canonical(reading.target)]
    return (1, 2) if languages == wanted else (2, 1) if languages[::-1] == wanted else None


FORMAT = Format(read, labelled=True)
