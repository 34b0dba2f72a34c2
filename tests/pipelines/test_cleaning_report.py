"""The cleaning report: every physical pair is in it once, on the page and in the table."""

import json
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from optical.data.bitext.config import BitextConfig
from optical.data.bitext.shards import CHECKED, write_bitext
from pipelines.cleaning import REPORT, cleaning_table, report_cleaning
from pipelines.graph.bitext import BITEXT


def checked(*reasons: str | None) -> pa.Table:
    rows = [
        {"dataset": "toy", "position": place, "source": f"neno {place}", "target": "a|b", "reason": reason}
        for place, reason in enumerate(reasons)
    ]
    return pa.Table.from_pylist(rows, schema=CHECKED)


@pytest.fixture
def workspace(tmp_path: Path) -> SimpleNamespace:
    """What a workspace says of a run on one data set."""
    config = BitextConfig(datasets=("toy",), max_reject_share=1.0)
    facts = {"licences": {"toy": "CC0"}, "compared_with": ["own"], "not_compared_with": {"a": "far", "b": "far"}}
    table = checked(None, "ratio", "duplicate", "duplicate", "duplicate", "duplicate", None, "contaminated")
    table = table.set_column(5, "detail", pa.array([None] * 7 + ["own"]))
    write_bitext(tmp_path / "bitext", "f" * 64, [table], config, facts)
    recipe = SimpleNamespace(name="toy")
    places = {BITEXT: tmp_path / "bitext"}
    run_dir, has = tmp_path / "run", places.__contains__
    return SimpleNamespace(path=places.get, has=has, recipe=recipe, fingerprint="f" * 64, run_dir=run_dir)


def test_the_page(workspace: SimpleNamespace):
    path = report_cleaning(workspace)
    page = path.read_text()
    assert path.name == REPORT
    assert "| toy | physical | 8 | 100.00% |  |\n| toy | accepted | 2 | 25.00% |  |\n| toy | duplicate | 4 |" in page
    assert "Compared with the test collections own." in page
    assert "Not compared with a, b: far." in page
    assert "| toy | 7 | contaminated (own) | neno 7 | a\\|b |" in page
    assert page.count("| duplicate |") == 1 + 3


def test_the_numbers_add_up_to_the_physical_pairs(workspace: SimpleNamespace):
    lines = [line.split() for line in cleaning_table(workspace).splitlines()]
    counts = {what: int(count) for _, what, count, _ in lines}
    assert counts.pop("physical") == 8 == sum(counts.values())
    account = json.loads((workspace.path(BITEXT) / "cleaning.json").read_text())
    assert sum(account["rejected"]["toy"].values()) + account["accepted"]["toy"] == 8
