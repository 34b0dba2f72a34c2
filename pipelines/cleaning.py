"""The cleaning report: how many pairs were accepted, rejected and repaired, as a page and as a table."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from pyarrow.dataset import dataset as parquet_data
from pyarrow.dataset import field

from optical.artefacts import write_whole
from optical.data.bitext.screen import NOT_FAULTS, REASONS, REPAIRS, excerpt
from optical.data.bitext.shards import CLEANING, pair_shards
from optical.report.blocks import Block, Heading, Paragraph, Table, render_markdown
from pipelines.cli.print import table
from pipelines.graph.bitext import BITEXT, QUESTIONS
from pipelines.graph.collection import COLLECTION
from pipelines.graph.workspace import Workspace

REPORT = "cleaning.md"
_FIRST = 3


def report_cleaning(workspace: Workspace) -> Path:
    """Write ``cleaning.md`` for all bitext of the run; its numbers come from each artefact's ``cleaning.json``."""
    blocks = [block for path in _artefacts(workspace) for block in (*_blocks(_account(path)), *_firsts(path))]
    title = f"Cleaning: {workspace.recipe.name}"
    return write_whole(workspace.run_dir / REPORT, render_markdown(title, workspace.fingerprint, blocks).encode())


def first_pairs(bitext: Path) -> dict[str, dict]:
    """For each data set: ``source`` and ``target`` language, how they were ``decided``, three accepted ``pairs``."""
    shards = parquet_data(pair_shards(bitext), format="parquet")
    found = {}
    for name, side in _account(bitext).get("sides", {}).items():
        first = shards.head(_FIRST, columns=["source", "target"], filter=field("dataset") == name)
        found[name] = side | {"pairs": [[excerpt(text) for text in row.values()] for row in first.to_pylist()]}
    return found


def sides_table(workspace: Workspace) -> str:
    """The first pairs of each data set with their languages as plain text, so that a person sees swapped columns."""
    lines = []
    for path in _artefacts(workspace):
        for name, side in first_pairs(path).items():
            codes = (side["source"], side["target"])
            rows = [row for pair in side["pairs"] for row in zip(codes, pair, strict=True)]
            lines += [name, *(f"  {how}" for how in side["decided"]), *table(rows, indent="    ").splitlines()]
    return "\n".join(lines)


def first_topics(collection: Path) -> list[dict[str, str | None]]:
    """The first three topics of a collection: ``qid``, ``query`` and ``english``."""
    rows = parquet_data(collection / "topics.parquet", format="parquet").head(_FIRST).to_pylist()
    return [{name: excerpt(value) for name, value in row.items()} for row in rows]


def topics_table(workspace: Workspace) -> str:
    """The first topics as plain text, so that a person sees queries and translations that are swapped."""
    count = parquet_data(workspace.path(COLLECTION) / "topics.parquet", format="parquet").count_rows()
    lines = [f"{workspace.recipe.evaluation.collection}: the first of {count:,} topics"]
    rows = [
        row
        for topic in first_topics(workspace.path(COLLECTION))
        for row in (("query", topic["query"] or "none"), ("english", topic["english"] or "none"))
    ]
    return "\n".join([*lines, *table(rows, indent="    ").splitlines()])


def cleaning_table(workspace: Workspace) -> str:
    """Counts by data set and reason as plain text with aligned columns."""
    rows = [row[:4] for path in _artefacts(workspace) for row in _rows(_account(path))]
    return table(rows, right={2, 3})


def _artefacts(workspace: Workspace) -> list[Path]:
    return [workspace.path(node) for node in (BITEXT, QUESTIONS) if workspace.has(node)]


def _account(bitext: Path) -> dict:
    return json.loads((bitext / CLEANING).read_text())


def _blocks(account: Mapping) -> Iterator[Block]:
    header = ("data set", "pairs", "count", "share", "meaning")
    yield Heading(", ".join(account["licences"]))
    yield Table(header, list(_rows(account)), "Every physical pair, by what became of it", frozenset({2, 3}))
    no_faults = ", ".join(sorted(NOT_FAULTS))
    yield Paragraph(f"All reasons but {no_faults} count as faults, of which bitext.max_reject_share allows a share.")
    if "compared_with" in account:
        yield Paragraph(f"Compared with the test collections {', '.join(account['compared_with'])}.")
    else:
        yield Paragraph("Not compared with any test collection: bitext.cleaning.drop_test_leaks is off.")
    for dataset, leaks in account.get("leaks", {}).items():
        found = ", ".join(f"{count:,} in {name}" for name, count in _by_count(leaks).items())
        yield Paragraph(f"The contaminated pairs of {dataset} occur in test collections: {found}.")
    for why, names in _by_reason(account.get("not_compared_with", {})).items():
        yield Paragraph(f"Not compared with {', '.join(names)}: {why}.")
    if examples := list(_examples(account)):
        yield Table(
            ("data set", "position", "reason", "source", "target"), examples, "The first of each", frozenset({1})
        )


def _firsts(bitext: Path) -> Iterator[Block]:
    for name, side in first_pairs(bitext).items():
        header = (f"source ({side['source']})", f"target ({side['target']})")
        yield Paragraph(f"{name}: {'; '.join(side['decided']) or 'its rows say their languages'}.")
        yield Table(header, [tuple(pair) for pair in side["pairs"]], f"The first accepted pairs of {name}")


def _rows(account: Mapping) -> Iterator[tuple[str, ...]]:
    """Data set, outcome, number of pairs, their share of the physical pairs, and the meaning of the outcome.

    Repairs come last; repaired pairs are also counted as accepted.
    """
    for dataset in account["licences"]:
        accepted, rejected = account["accepted"].get(dataset, 0), account["rejected"].get(dataset, {})
        physical = accepted + sum(rejected.values())
        repaired = _by_count(account.get("repaired", {}).get(dataset, {}))
        counts = {"physical": physical, "accepted": accepted, **_by_count(rejected), **repaired}
        for what, count in counts.items():
            share = f"{count / physical:.2%}" if physical else ""
            yield dataset, what, f"{count:,}", share, (REASONS | REPAIRS).get(what, "")


def _examples(account: Mapping) -> Iterator[tuple[str, ...]]:
    for dataset, reasons in account["examples"].items():
        for reason, pairs in reasons.items():
            for pair in pairs:
                named = f"{reason} ({pair['detail']})" if pair["detail"] else reason
                yield dataset, str(pair["position"]), named, pair["source"] or "", pair["target"] or ""


def _by_reason(missed: Mapping[str, str]) -> dict[str, list[str]]:
    return {why: [name for name in missed if missed[name] == why] for why in dict.fromkeys(missed.values())}


def _by_count(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: -item[1]))
