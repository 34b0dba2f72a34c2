"""Which systems a run compares."""

from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.graph.collection import COLLECTION
from pipelines.graph.runs import systems
from pipelines.recipes import recipe


def _workspace(folder, name: str, english: list[str]):
    pq.write_table(pa.table({"english": english}), folder / "topics.parquet")
    return SimpleNamespace(recipe=recipe(name), path={COLLECTION: folder}.get)


@pytest.mark.parametrize(
    ("name", "english", "expected"),
    [
        ("demo", ["a", "b"], ["zero_shot", "student", "english_ceiling"]),
        ("demo", ["a", ""], ["zero_shot", "student"]),
        ("swahili_minilm", ["a", "b"], ["zero_shot", "student_start", "student", "english_ceiling"]),
    ],
)
def test_a_ceiling_needs_translations_and_a_start_an_extended_vocabulary(tmp_path, name, english, expected):
    assert [system.name for system in systems(_workspace(tmp_path, name, english))] == expected
