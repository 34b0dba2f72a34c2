"""The reading of qrels, for the files of users and for those of runs."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from optical.data.collections.records import Qrel
from optical.errors import DataError

MAX_GRADE = 1000
"""Largest grade; what is larger is an id in the wrong column."""

_GRADE = re.compile(r"[+-]?[0-9]+(\.0*)?")
_TREC = {"qid": 0, "docid": 2, "relevance": 3}
_NAMES = {
    "qid": ("qid", "query-id", "query_id", "query", "topic", "topic_id", "topic-id"),
    "docid": ("docid", "corpus-id", "corpus_id", "doc_id", "doc-id", "docno", "pid", "passage_id", "passage-id"),
    "relevance": ("relevance", "score", "rel", "grade", "label", "judgement", "judgment"),
}


@dataclass(frozen=True)
class Qrels:
    """The judgements of a file in its order, and how many lines repeated an earlier one exactly."""

    judgements: tuple[Qrel, ...]
    repeats: int


def parse_qrels(lines: Iterable[tuple[str, str]]) -> Qrels:
    """Read the lines of a qrels file, each given with its place.

    The columns are TREC's ``qid iteration docid relevance``, or those a header names, such as BEIR's ``query-id
    corpus-id score``. Blank lines are skipped, and a line that repeats an earlier one is counted.

    Raises:
        DataError: a line with other columns, a relevance that is no whole number, or a pair judged in two ways.
    """
    judged: dict[tuple[str, str], tuple[Qrel, str]] = {}
    repeats, columns, width, first = 0, _TREC, 4, True
    for where, line in lines:
        fields = line.split()
        if not fields:
            continue
        if first and (named := _header(fields)):
            columns, width, first = named, len(fields), False
            continue
        first = False
        qrel = _qrel(where, fields, columns, width)
        earlier, place = judged.setdefault((qrel.qid, qrel.docid), (qrel, where))
        if earlier.relevance != qrel.relevance:
            what = f"topic {qrel.qid!r} and docid {qrel.docid!r} are judged {qrel.relevance} here"
            raise DataError(where, f"{what} and {earlier.relevance} in {place}", "keep the right one of the two lines")
        repeats += place != where
    return Qrels(tuple(qrel for qrel, _ in judged.values()), repeats)


def repeated(qrels: Qrels) -> tuple[str, ...]:
    """The remark on judgements that occur more than once, where any do."""
    return (f"{qrels.repeats:,} judgements repeat an earlier one and count once",) if qrels.repeats else ()


def _header(fields: Sequence[str]) -> dict[str, int] | None:
    """The place of each role in a first line that names them all."""
    lower = [field.lower() for field in fields]
    found = {role: lower.index(name) for role, names in _NAMES.items() for name in names if name in lower}
    return found if len(found) == len(_NAMES) else None


def _qrel(where: str, fields: Sequence[str], columns: dict[str, int], width: int) -> Qrel:
    if len(fields) != width:
        rule = f"{len(fields)} fields where {width} are expected"
        advice = "write: qid 0 docid relevance; or name other columns in a header: query-id corpus-id score"
        raise DataError(where, rule, advice)
    qid, docid, relevance = (fields[columns[role]] for role in _NAMES)
    if not _GRADE.fullmatch(relevance):
        raise DataError(where, f"relevance {relevance!r} is not a whole number", "write 0, 1 or a higher grade")
    grade = int(relevance.partition(".")[0])
    if abs(grade) > MAX_GRADE:
        what = f"relevance {relevance} is beyond {MAX_GRADE}"
        raise DataError(where, what, "check the order of the columns: qid 0 docid relevance")
    return Qrel(qid, docid, grade)
