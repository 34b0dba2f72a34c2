"""TREC files: runs and qrels, with trec_eval's own order of tied documents.

The tie rule of this project: score descending, then docid descending. Scores are compared in single precision, as
trec_eval stores them. A run ranked in double precision would get other measures than from trec_eval.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from optical.artefacts import write_whole
from optical.data.collections.qrels import Qrel, parse_qrels
from optical.data.files.open import text_lines
from optical.errors import DataError

_LONGEST_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class ScoredDoc:
    """One retrieved document of a topic."""

    qid: str
    docid: str
    score: float


@dataclass(frozen=True, init=False)
class Run:
    """Ranked results: for each topic its documents, best first, in trec_eval's order.

    Two runs are equal when they rank the same documents with the same scores.

    >>> Run([ScoredDoc("q", "a", 1.0), ScoredDoc("q", "c", 2.0), ScoredDoc("q", "b", 1.0)]).docids("q")
    ('c', 'b', 'a')

    Args:
        scored: the retrieved documents of all topics, in any order.

    Raises:
        DataError: an id that a TREC file cannot hold, a score that is not finite, or a repeated document.
    """

    rankings: Mapping[str, tuple[ScoredDoc, ...]]

    def __init__(self, scored: Iterable[ScoredDoc]) -> None:
        topics: dict[str, dict[str, ScoredDoc]] = {}
        for doc in scored:
            if rule := _broken_rule(doc):
                raise DataError(f"run, topic {doc.qid!r}", rule, "correct the results before ranking them")
            documents = topics.setdefault(doc.qid, {})
            if doc.docid in documents:
                raise DataError(f"run, topic {doc.qid!r}", f"docid {doc.docid!r} twice", "keep its best score only")
            documents[doc.docid] = doc
        ranked = {qid: _rank(list(documents.values())) for qid, documents in topics.items()}
        object.__setattr__(self, "rankings", ranked)

    def __iter__(self) -> Iterator[ScoredDoc]:
        """All documents, topic by topic, best first."""
        for ranking in self.rankings.values():
            yield from ranking

    def __len__(self) -> int:
        """Number of retrieved documents over all topics."""
        return sum(len(ranking) for ranking in self.rankings.values())

    def __contains__(self, qid: object) -> bool:
        """Whether any document was retrieved for the topic ``qid``."""
        return qid in self.rankings

    def docids(self, qid: str) -> tuple[str, ...]:
        """Docids of the topic ``qid``, best first; empty where nothing was retrieved."""
        return tuple(doc.docid for doc in self.rankings.get(qid, ()))


def read_run(path: Path) -> Run:
    """Read a TREC run; the ranks in the file are ignored, as trec_eval does.

    Raises:
        DataError: a missing or damaged file, or a line that is not ``qid Q0 docid rank score tag``.
    """
    seen: set[tuple[str, str]] = set()
    scored = []
    for where, line in _lines(path):
        if not (fields := line.split()):
            continue
        if len(fields) != 6:
            raise DataError(
                where, f"{len(fields)} fields where `qid Q0 docid rank score tag` has 6", "correct the line"
            )
        qid, _, docid, _, score, _ = fields
        doc = ScoredDoc(qid, docid, _number(where, score))
        _refuse_repeat(where, seen, qid, docid)
        scored.append(doc)
    return Run(scored)


def write_run(path: Path, run: Run, tag: str) -> Path:
    """Write a TREC run atomically, with ranks from 1 and scores that read back to the same numbers.

    Raises:
        DataError: a tag that is empty or holds white space.
    """
    if len(tag.split()) != 1 or tag != tag.strip():
        raise DataError(path, f"tag {tag!r} is empty or holds white space", "give the run a one-word tag")
    lines = [
        f"{doc.qid} Q0 {doc.docid} {rank} {float(doc.score)!r} {tag}\n"
        for ranking in run.rankings.values()
        for rank, doc in enumerate(ranking, start=1)
    ]
    return write_whole(path, "".join(lines).encode())


def read_qrels(path: Path) -> tuple[Qrel, ...]:
    """Read qrels in the file's order; a line that repeats an earlier one counts once (see ``parse_qrels``).

    Raises:
        DataError: a missing or damaged file, a line that is no judgement, or a pair judged in two ways.
    """
    return parse_qrels(_lines(path)).judgements


def write_qrels(path: Path, qrels: Iterable[Qrel]) -> Path:
    """Write TREC qrels atomically, in the order given.

    Raises:
        DataError: an id that a TREC file cannot hold, or a document judged twice for a topic.
    """
    lines = []
    seen: set[tuple[str, str]] = set()
    for qrel in qrels:
        where = f"qrels for {path}, topic {qrel.qid!r}"
        if rule := _broken_id(qrel.qid, qrel.docid):
            raise DataError(where, rule, "rename the topic or document")
        _refuse_repeat(where, seen, qrel.qid, qrel.docid)
        lines.append(f"{qrel.qid} 0 {qrel.docid} {int(qrel.relevance)}\n")
    return write_whole(path, "".join(lines).encode())


def _rank(docs: list[ScoredDoc]) -> tuple[ScoredDoc, ...]:
    with np.errstate(over="ignore"):
        single = np.array([doc.score for doc in docs], dtype=np.float64).astype(np.float32).tolist()
    order = sorted(range(len(docs)), key=lambda place: (single[place], docs[place].docid), reverse=True)
    return tuple(docs[place] for place in order)


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """The lines of a text file, plain or compressed, each with its place."""
    return ((f"{path}:{number}", line) for number, line in text_lines(path, _LONGEST_LINE))


def _number(where: str, text: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    # float() reads 1_0 as ten; no other tool does.
    if not math.isfinite(score) or "_" in text:
        raise DataError(where, f"score {text!r} is not a finite number", "correct the line")
    return score


def _refuse_repeat(where: str, seen: set[tuple[str, str]], qid: str, docid: str) -> None:
    if (qid, docid) in seen:
        raise DataError(where, f"docid {docid!r} a second time for topic {qid!r}", "keep one of the lines")
    seen.add((qid, docid))


def _broken_rule(doc: ScoredDoc) -> str | None:
    if not math.isfinite(doc.score):
        return f"docid {doc.docid!r} has score {doc.score!r}, which is not a finite number"
    return _broken_id(doc.qid, doc.docid)


def _broken_id(*names: str) -> str | None:
    for name in names:
        if name.split() != [name]:
            return f"id {name!r} is empty or holds white space, which TREC files cannot hold"
    return None
