"""Translated queries as an artefact that a person can read.

translations.tsv    qid, query, translation; with a line of these names first
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from optical import artefacts

KIND = "translations"
FILE = "translations.tsv"
_HEADER = "qid\tquery\ttranslation\n"


def write_translations(
    path: Path, made_from: str, rows: Iterable[tuple[str, str, str]], info: Mapping[str, object]
) -> None:
    """Commit topic id, query and translation of every topic; white space in texts becomes single spaces."""
    lines = ["\t".join(" ".join(part.split()) for part in row) + "\n" for row in rows]
    with artefacts.writing(path, KIND, made_from, {"topics": len(lines), **info}) as scratch:
        (scratch / FILE).write_text("".join([_HEADER, *lines]), encoding="utf-8")


def read_translations(folder: Path) -> dict[str, str]:
    """The translation of every topic, in the order of the topics; empty where the translator gave none.

    Raises:
        DataError: there is no such artefact.
    """
    text = artefacts.read(folder, KIND, verify=False).file(FILE).read_text(encoding="utf-8")
    return {qid: translation for qid, _, translation in (line.split("\t") for line in text.split("\n")[1:-1])}
