"""Clean shards: accepted plus rejected are the physical pairs, and every reject is accounted for."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from optical import artefacts
from optical.data.bitext.config import BitextConfig
from optical.data.bitext.shards import BITEXT, CHECKED, ShardWriter, first_accepted, pair_shards, write_bitext
from optical.errors import DataError


def checked(*reasons: str | None, dataset: str = "toy", start: int = 0) -> pa.Table:
    """Physical pairs numbered from ``start``: a reason for a rejected one, None for an accepted one."""
    rows = [
        {
            "dataset": dataset,
            "position": start + i,
            "source": f"chanzo {start + i}",
            "target": f"target {start + i}",
            "reason": reason,
            "detail": "xquad" if reason == "contaminated" else None,
        }
        for i, reason in enumerate(reasons)
    ]
    return pa.Table.from_pylist(rows, schema=CHECKED)


def config(**values) -> BitextConfig:
    return BitextConfig(datasets=("toy",), **({"max_reject_share": 0.5} | values))


def bitext(path, *tables, facts=None, **values):
    write_bitext(path, "f" * 64, iter(tables), config(**values), facts or {})
    return artefacts.read(path, BITEXT)


def positions(path, stem: str) -> list[int]:
    return [p for shard in sorted(path.glob(f"{stem}-*.parquet")) for p in pq.read_table(shard)["position"].to_pylist()]


def test_accepted_and_rejected_are_the_physical_pairs(tmp_path):
    tables = [
        checked(None, "empty", None, "too_long", None),
        checked(None, "empty", start=5),
        checked(None, None, dataset="other"),
    ]
    made = bitext(tmp_path / "b", *tables, facts={"source": "swa"})
    assert made.info == {
        "source": "swa",
        "accepted": {"toy": 4, "other": 2},
        "rejected": {"toy": {"empty": 2, "too_long": 1}},
    }
    assert positions(made.path, "pairs") == [0, 2, 4, 5, 0, 1]
    assert positions(made.path, "rejects") == [1, 3, 6]
    kept = pq.read_table(pair_shards(made.path)[0]).to_pylist()[1]
    assert kept == {"dataset": "toy", "position": 2, "source": "chanzo 2", "target": "target 2"}


def test_the_first_accepted_are_kept_and_nothing_is_read_beyond():
    def stream():
        yield checked(None, None)
        yield checked(None, "empty", None, start=2)
        pytest.fail("read on")

    assert [table["position"].to_pylist() for table in first_accepted(stream(), 3)] == [[0, 1], [2]]


def test_a_cap_does_not_change_the_share_of_rejects(tmp_path):
    made = bitext(tmp_path / "b", *first_accepted([checked(*[None, None, "empty"] * 20)], 5))
    assert made.info["accepted"] == {"toy": 5}
    assert made.info["rejected"] == {"toy": {"empty": 2}}


def test_more_pairs_allowed_than_there_are(tmp_path):
    assert bitext(tmp_path / "b", *first_accepted([checked(None, None)], 3)).info["accepted"] == {"toy": 2}


def test_too_many_rejects_stop_with_the_reasons(tmp_path):
    tables = [checked(None, "empty", "empty", "too_long"), checked(None, None, dataset="other")]
    with pytest.raises(DataError) as stopped:
        bitext(tmp_path / "b", *tables)
    assert str(stopped.value).splitlines() == [
        "toy: 3 of 4 pairs are faulty, and at most 50.0% may be",
        "  empty                  2  50.0%  first at 1         a side has no visible character",
        "  too_long               1  25.0%  first at 3         a side is longer than the bound in bytes or characters"
        "; clean the data, or raise bitext.max_reject_share",
    ]
    assert list(tmp_path.iterdir()) == []


def test_the_share_of_rejects_may_be_met_exactly(tmp_path):
    assert bitext(tmp_path / "b", checked(None, "empty")).info["rejected"] == {"toy": {"empty": 1}}


def test_duplicates_leaks_and_identical_sides_are_no_faults(tmp_path):
    reasons = ["duplicate", "near_duplicate", "contaminated", "identical", None]
    made = bitext(tmp_path / "b", checked(*reasons), max_reject_share=0.0)
    assert made.info["rejected"] == {"toy": dict.fromkeys(reasons[:4], 1)}
    with pytest.raises(DataError, match="^toy: 1 of 6 pairs are faulty, and at most 0.0% may be"):
        bitext(tmp_path / "c", checked(*reasons, "script"), max_reject_share=0.0)


def test_one_bad_line_in_a_hundred_passes_and_is_told(tmp_path):
    made = bitext(tmp_path / "b", checked(*[None] * 99, "utf8"), max_reject_share=0.05)
    assert made.info["rejected"] == {"toy": {"utf8": 1}}


def test_the_account_has_the_first_three_examples_of_each_reason(tmp_path):
    tables = [checked(None, "ratio", "ratio", "contaminated"), checked("ratio", "ratio", start=4)]
    made = bitext(tmp_path / "b", *tables, facts={"compared_with": ["xquad"]}, max_reject_share=1.0)
    account = json.loads(made.file("cleaning.json").read_text())
    assert account["compared_with"] == ["xquad"]
    assert account["accepted"] == {"toy": 1}
    assert account["rejected"] == {"toy": {"ratio": 4, "contaminated": 1}}
    assert [pair["position"] for pair in account["examples"]["toy"]["ratio"]] == [1, 2, 4]
    leak = {"position": 3, "source": "chanzo 3", "target": "target 3", "detail": "xquad"}
    assert account["examples"]["toy"]["contaminated"] == [leak]
    listed = pq.read_table(made.file("rejects-00000.parquet")).to_pylist()
    assert {"dataset": "toy", "position": 3, "reason": "contaminated", "detail": "xquad"} in listed


@pytest.mark.parametrize("tables", [[], [checked()], [checked("empty")]])
def test_nothing_accepted_is_a_data_error(tmp_path, tables):
    with pytest.raises(DataError, match="no pair was accepted"):
        bitext(tmp_path / "b", *tables, max_reject_share=1.0)
    assert list(tmp_path.iterdir()) == []


def test_a_shard_is_full_before_the_next_begins(tmp_path):
    writer = ShardWriter(tmp_path, "n", pa.schema([("n", pa.int64())]), rows_per_shard=3)
    for size in (2, 5, 1):
        writer.write(pa.table({"n": range(writer.rows, writer.rows + size)}))
    writer.close()
    files = [pq.read_table(tmp_path / f"n-{number:05d}.parquet")["n"].to_pylist() for number in range(3)]
    assert files == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert writer.rows == 8


def test_an_empty_stream_leaves_one_file_without_rows(tmp_path):
    ShardWriter(tmp_path, "n", pa.schema([("n", pa.int64())])).close()
    assert [pq.read_table(file).num_rows for file in tmp_path.iterdir()] == [0]
