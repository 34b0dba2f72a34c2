"""Which systems a run compares."""

from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.recipes import recipe
from pipelines.verbs.search import systems


def _session(folder, name: str, english: list[str]):
    pq.write_table(pa.table({"english": english}), folder / "topics.parquet")
    workspace = SimpleNamespace(recipe=recipe(name), collection=folder, teacher="T", start="S0", student="S")
    return SimpleNamespace(workspace=workspace)


@pytest.mark.parametrize(
    ("name", "english", "expected"),
    [
        ("demo", ["a", "b"], ["zero_shot", "student", "english_ceiling"]),
        ("demo", ["a", ""], ["zero_shot", "student"]),
        ("swahili", ["a", "b"], ["zero_shot", "student_start", "student", "english_ceiling"]),
    ],
)
def test_a_ceiling_needs_translations_and_a_start_an_extended_vocabulary(tmp_path, name, english, expected):
    assert [system.name for system in systems(_session(tmp_path, name, english))] == expected
