"""Clean parquet shards of sentence pairs, and of the question-passage pairs that a teacher learns from."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optical.data.bitext import shards, sides
from optical.data.bitext.config import BitextConfig
from optical.data.bitext.readers import read_pairs, rows_name_languages
from optical.data.bitext.screen import QUESTION_LIMITS, Limits
from optical.data.bitext.sources import split_language
from optical.data.cleaning.predicates import Cleaning
from optical.data.collections.held_out import held_out_texts
from optical.data.fetch.resolve import Resolved, hashes_of, resolve
from optical.data.files.open import split_member
from optical.data.registry.datasets import datasets
from optical.data.registry.entry import DataSet
from optical.errors import DataError, UserError
from optical.tracking.progress import Progress
from pipelines.graph.collection import licences
from pipelines.graph.compared import compared_with, comparison, pairs_config, sources
from pipelines.graph.node import Node
from pipelines.graph.workspace import Context, Workspace

if TYPE_CHECKING:
    from optical.data.bitext.stream import BitextSource


def texts(workspace: Workspace, pairs: Node, *wanted: str) -> list[str]:
    """All texts of the sides ``source``, ``target`` of an artefact of pairs, shard by shard."""
    found = [pq.read_table(shard, columns=list(wanted)) for shard in shards.pair_shards(workspace.path(pairs))]
    return [text for table in found for side in wanted for text in table[side].to_pylist()]


def rejects(info: dict) -> dict[str, int]:
    """Rejected pairs by reason, over all data sets."""
    total: dict[str, int] = {}
    for reasons in info["rejected"].values():
        for reason, count in reasons.items():
            total[reason] = total.get(reason, 0) + count
    return total


def _make(session: Context, path: Path, identity: str, questions: bool) -> None:
    from optical.data.bitext.stream import BitextSource, checked_pairs

    workspace = session.workspace
    config = pairs_config(workspace, questions)
    files = [_opened(spec, workspace) for spec in config.datasets]
    _refuse_twins(files, config)
    read = [BitextSource(file, source, config.target) for file, source in zip(files, sources(config), strict=True)]
    limits = QUESTION_LIMITS if questions else Limits.of(config)
    seen = {source.files.name: _sides(source, limits, config.cleaning.check_sides) for source in read}
    with session.work("prepare"), Progress("prepare", _expected(config), "pairs") as progress:
        cleaning, facts = _cleaning(workspace, config, questions)
        facts |= {"licences": licences(config.datasets), "sides": seen}
        checked = progress.counting(_without_gaps(checked_pairs(read, limits, cleaning, config.max_pairs)))
        shards.write_bitext(path, identity, checked, config, facts)


def _cleaning(workspace: Workspace, config: BitextConfig, questions: bool) -> tuple[Cleaning, dict]:
    """The rules, and the test collections that the pairs are compared with.

    A passage of a test collection may appear in question-passage pairs, with other questions.
    """
    compared, settings = compared_with(workspace, questions), workspace.settings
    if compared is None:
        return Cleaning(config.cleaning), {}
    held_out = held_out_texts(compared, settings.cache, settings.mirror)
    facts = {"compared_with": compared.names, "not_compared_with": compared.missed}
    return Cleaning(config.cleaning, held_out, passages=questions), facts


def _content(workspace: Workspace, questions: bool) -> list[object]:
    """The data sets by content, and the test collections whose texts no pair may contain."""
    specs = pairs_config(workspace, questions).datasets
    return [[_identity(spec, workspace) for spec in specs], *comparison(workspace, questions)]


def _identity(spec: str, workspace: Workspace) -> dict:
    """A source by content: names and hashes of its files, not where they are."""
    found, settings = workspace.source(spec), workspace.settings
    if isinstance(found, DataSet):
        return {"name": found.name, "files": hashes_of(found, settings.cache, settings.mirror)}
    members = [split_member(path)[1] for path in found.paths]
    _, language = split_language(spec)
    suffix = {"language": language} if language else {}
    return {"reader": found.reader, "files": list(found.sha256s), "members": members} | suffix


def _opened(spec: str, workspace: Workspace) -> Resolved:
    found, settings = workspace.source(spec), workspace.settings
    return found if isinstance(found, Resolved) else resolve(found, settings.cache, settings.mirror)


def _sides(source: "BitextSource", limits: Limits, check_sides: bool) -> dict:
    """The languages of a data set's sides, and how the side of each was decided, before all of it is read.

    Raises:
        DataError: this cannot be decided, or the sides look wrong.
    """
    files, decided = source.files, list[str]()
    if not rows_name_languages(files.reader):
        pairs = read_pairs(files.paths, files.reader, source.source, source.target, limits, decided.append)
        first = [(pair.source, pair.target) for pair in islice(pairs, sides.SAMPLE) if pair.reason is None]
        if check_sides and first:
            decided.append(sides.check(files.name, files.reader, first, source.source, source.target))
    return {"source": source.source, "target": source.target, "decided": decided}


def _refuse_twins(files: Sequence[Resolved], config: BitextConfig) -> None:
    """Refuse the same files in the same language under two names: they would count twice, or give nothing."""
    names: dict[tuple, str] = {}
    for spec, file, source in zip(config.datasets, files, sources(config), strict=True):
        members = tuple(split_member(path)[1] for path in file.paths)
        other = names.setdefault((file.reader, file.sha256s, members, source), spec)
        if other != spec:
            raise UserError("bitext.datasets", f"{other} and {spec} are the same files", "leave one of them out")


def _expected(config: BitextConfig) -> int | None:
    """Pairs to read, where the registry knows them all and all are wanted."""
    counts = [count for spec in config.datasets if (count := getattr(datasets().get(spec), "count", None))]
    return sum(counts) if config.max_pairs is None and len(counts) == len(config.datasets) else None


def _without_gaps(checked: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same tables, after a check that no physical pair is missing: each data set's positions are 0, 1, 2, ...

    Raises:
        DataError: a pair is missing, so that accepted and rejected ones would not add up to all.
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


def _rules(workspace: Workspace, *names: str) -> dict:
    """The named fields of ``bitext``."""
    return {name: workspace.decisive["bitext"][name] for name in names}


BITEXT = Node(
    kind="bitext",
    version=2,
    format=shards.BITEXT,
    made_from=lambda workspace: [
        _rules(workspace, *(workspace.decisive["bitext"].keys() - {"datasets", "dev_pairs"})),
        *_content(workspace, questions=False),
    ],
    make=partial(_make, questions=False),
)
"""Clean shards of the sentence pairs that the student learns from."""

QUESTIONS = Node(
    kind="questions",
    version=2,
    format=shards.BITEXT,
    made_from=lambda workspace: [
        _rules(workspace, "cleaning", "target", "max_reject_share"),
        *_content(workspace, questions=True),
    ],
    make=partial(_make, questions=True),
    needed=lambda recipe: recipe.teacher.trained is not None,
)
"""Clean shards of the question-passage pairs that a teacher learns from."""
