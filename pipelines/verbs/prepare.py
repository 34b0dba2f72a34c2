"""prepare: bitext, question-passage pairs and the test collection, checked and in parquet shards."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optical import artefacts
from optical.data.bitext import sides
from optical.data.bitext.config import BitextConfig
from optical.data.bitext.readers import read_pairs, rows_name_languages
from optical.data.bitext.screen import QUESTION_LIMITS, Limits
from optical.data.bitext.shards import BITEXT, write_bitext
from optical.data.bitext.sources import open_source, source_language
from optical.data.bitext.stream import BitextSource, checked_pairs
from optical.data.cleaning.predicates import Cleaning
from optical.data.collections.checks import dangling, unjudged
from optical.data.collections.held_out import held_out_texts
from optical.data.collections.opening import Collection, Passage, Topic, open_collection
from optical.data.fetch.resolve import Resolved
from optical.data.files.open import split_member
from optical.data.registry.datasets import datasets
from optical.errors import DataError, UserError
from optical.evaluation.runs import write_qrels
from optical.tracking.progress import Progress
from pipelines.cleaning import REPORT, first_pairs, first_topics, report_cleaning
from pipelines.session import Session
from pipelines.workspace import Workspace

COLLECTION = "collection"


def prepare(session: Session) -> dict:
    """Make the collection and the clean shards, and write ``cleaning.md``; returns counts of what was made."""
    workspace = session.workspace
    collection_of(session)
    config = workspace.recipe.bitext
    _bitext(session, workspace.bitext, workspace.bitext_fingerprint, config)
    if workspace.scratch_teacher:
        questions = replace(config, datasets=workspace.recipe.teacher.scratch.pairs, source="eng", max_pairs=None)
        _bitext(session, workspace.questions, workspace.questions_fingerprint, questions, True)
    report_cleaning(session)
    return _facts(workspace)


def rejects(info: dict) -> dict[str, int]:
    """Rejected pairs by reason, over all data sets."""
    total: dict[str, int] = {}
    for reasons in info["rejected"].values():
        for reason, count in reasons.items():
            total[reason] = total.get(reason, 0) + count
    return total


def _facts(workspace: Workspace) -> dict:
    bitext = artefacts.read(workspace.bitext, BITEXT, verify=False).info
    collection = artefacts.read(workspace.collection, COLLECTION, verify=False).info
    facts = {
        "pairs": sum(bitext["accepted"].values()),
        "rejected": rejects(bitext),
        "repaired": bitext.get("repaired", {}),
        "cleaning": str(workspace.run_dir / REPORT),
        "passages": collection["passages"],
        "topics": collection["topics"],
        "judgements": collection["judgements"],
        "licences": bitext["licences"] | {workspace.recipe.evaluation.collection: collection["licence"]},
        "shards": str(workspace.bitext),
        "first_pairs": first_pairs(workspace.bitext),
        "first_topics": first_topics(workspace.collection),
    }
    if workspace.scratch_teacher:
        questions = artefacts.read(workspace.questions, BITEXT, verify=False).info
        facts |= {"questions": sum(questions["accepted"].values()), "questions_rejected": rejects(questions)}
    if collection["remarks"]:
        facts["collection"] = "; ".join(collection["remarks"])
    return facts


def _bitext(session: Session, path: Path, made_from: str, config: BitextConfig, questions: bool = False) -> None:
    workspace = session.workspace
    settings = workspace.settings
    with session.making(path, BITEXT, made_from) as needed:
        if not needed:
            return
        files = [open_source(spec, settings.cache, settings.mirror) for spec in config.datasets]
        _refuse_twins(files, config)
        sources = [
            BitextSource(file, source, config.target) for file, source in zip(files, _sources(config), strict=True)
        ]
        limits = QUESTION_LIMITS if questions else Limits.of(config)
        seen = {source.files.name: _looked_at(source, limits, config.cleaning.check_sides) for source in sources}
        with session.work("prepare"), Progress("prepare", _expected(config), "pairs") as progress:
            cleaning, facts = _cleaning(workspace, config, questions)
            facts |= {"licences": _licences(config.datasets), "sides": seen}
            checked = progress.counting(_without_gaps(checked_pairs(sources, limits, cleaning, config.max_pairs)))
            write_bitext(path, made_from, checked, config, facts)


def _looked_at(source: BitextSource, limits: Limits, check_sides: bool) -> dict:
    """The languages of a data set's sides, and how it was decided which side is which, before all of it is read.

    Raises:
        DataError: nobody can know that, or it looks wrong.
    """
    files, decided = source.files, []
    if not rows_name_languages(files.reader):
        pairs = read_pairs(files.paths, files.reader, source.source, source.target, limits, decided.append)
        first = [(pair.source, pair.target) for pair in islice(pairs, sides.SAMPLE) if pair.reason is None]
        if check_sides and first:
            decided.append(sides.check(files.name, files.reader, first, source.source, source.target))
    return {"source": source.source, "target": source.target, "decided": decided}


def _refuse_twins(files: list[Resolved], config: BitextConfig) -> None:
    """Refuse the same files in the same language under two names: they would count twice, or give nothing."""
    names: dict[tuple, str] = {}
    for spec, file, source in zip(config.datasets, files, _sources(config), strict=True):
        members = tuple(split_member(path)[1] for path in file.paths)
        other = names.setdefault((file.reader, file.sha256s, members, source), spec)
        if other != spec:
            raise UserError("bitext.datasets", f"{other} and {spec} are the same files", "leave one of them out")


def _expected(config: BitextConfig) -> int | None:
    """Pairs to read, where the registry knows them all and all are wanted."""
    counts = [getattr(datasets().get(spec), "count", None) for spec in config.datasets]
    return sum(counts) if config.max_pairs is None and all(counts) else None


def _without_gaps(checked: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The tables, of which no physical pair may be missing: each data set's positions are 0, 1, 2, ...

    Raises:
        DataError: a pair is missing, so that accepted and rejected ones would not be all.
    """
    following: dict[str, int] = {}
    for table in checked:
        for name in pc.unique(table["dataset"]).to_pylist():
            found = table.filter(pc.field("dataset") == name)["position"].to_numpy()
            expected = np.arange(following.get(name, 0), following.get(name, 0) + len(found))
            if not np.array_equal(found, expected):
                lost = int(expected[np.flatnonzero(found != expected)[0]])
                raise DataError(name, f"the pair of position {lost} got lost on its way", "report it; this is a bug")
            following[name] = len(found) + following.get(name, 0)
        yield table


def _cleaning(workspace: Workspace, config: BitextConfig, questions: bool) -> tuple[Cleaning, dict]:
    """The rules, and what they were compared with. A passage of a test collection may well have other questions."""
    if not config.cleaning.drop_test_leaks:
        return Cleaning(config.cleaning), {}
    settings = workspace.settings
    languages = {*_sources(config), config.target}
    compared = held_out_texts(workspace.recipe.evaluation.collection, languages, settings.cache, settings.mirror)
    facts = {"compared_with": list(compared.held_out.names), "not_compared_with": compared.missed}
    return Cleaning(config.cleaning, compared.held_out, passages=questions), facts


def _sources(config: BitextConfig) -> list[str]:
    """The query language of each data set."""
    return [source_language(spec, config.source) for spec in config.datasets]


def _licences(specs: tuple[str, ...]) -> dict[str, str]:
    known = datasets()
    return {spec: known[spec].licence if spec in known else "given by the user" for spec in specs}


def collection_of(session: Session, *needed: str) -> dict:
    """Make the test collection unless it is there; returns what its manifest says of it.

    Args:
        session: the session.
        needed: parts a verb cannot do without: ``topics``, ``judgements``.

    Raises:
        DataError: a needed part is missing, which is said before any work.
    """
    workspace = session.workspace
    with session.making(workspace.collection, COLLECTION, workspace.collection_fingerprint) as missing:
        if missing:
            _make_collection(workspace)
    info = artefacts.read(workspace.collection, COLLECTION, verify=False).info
    for part in needed:
        if not info[part]:
            advice = "add qrels.txt to measure" if part == "judgements" else "add topics.tsv to search"
            what = f"the collection has no {part}"
            raise DataError(
                workspace.recipe.evaluation.collection, what, f"{advice}; run does what can be done without"
            )
    return info


def _make_collection(workspace: Workspace) -> None:
    settings = workspace.settings
    collection = open_collection(workspace.recipe.evaluation.collection, settings.cache, settings.mirror)
    info = {
        "passages": len(collection.passages),
        "topics": len(collection.topics),
        "judgements": len(collection.qrels),
        "remarks": list(collection.remarks),
        "licence": _licences((workspace.recipe.evaluation.collection,))[workspace.recipe.evaluation.collection],
    }
    with artefacts.writing(workspace.collection, COLLECTION, workspace.collection_fingerprint, info) as scratch:
        _write_collection(scratch, collection)


def _write_collection(folder: Path, collection: Collection) -> None:
    for name, kind in (("passages", Passage), ("topics", Topic)):
        columns = {field: [getattr(record, field) for record in getattr(collection, name)] for field in kind.__slots__}
        schema = pa.schema([(field, pa.string()) for field in kind.__slots__])
        pq.write_table(pa.table(columns, schema), folder / f"{name}.parquet")
    write_qrels(folder / "qrels.txt", collection.qrels)
    write_qrels(folder / "dangling.txt", dangling(collection))
    (folder / "unjudged.txt").write_text("".join(f"{qid}\n" for qid in unjudged(collection)))
