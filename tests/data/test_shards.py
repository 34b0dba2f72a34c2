"""Clean shards: accepted plus rejected are the physical pairs, and held-out pairs are never trained on."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from optical import artefacts
from optical.config import BitextConfig
from optical.data import shards
from optical.data.shards import BITEXT, CHECKED, TOKENS, ShardWriter, pair_shards, write_bitext, write_tokens
from optical.data.tokens import read_tokens
from optical.errors import DataError


def checked(*reasons: str | None, dataset: str = "toy", start: int = 0) -> pa.Table:
    """Physical pairs numbered from ``start``: a reason for a rejected one, None for an accepted one."""
    rows = [
        {
            "dataset": dataset,
            "position": start + i,
            "source": None if reason else f"chanzo {start + i}",
            "target": None if reason else f"target {start + i}",
            "reason": reason,
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


def test_max_pairs_keeps_the_first_and_stops_reading(tmp_path):
    def stream():
        yield checked(None, None)
        yield checked(None, None, start=2)
        pytest.fail("read past max_pairs")

    write_bitext(tmp_path / "b", "f" * 64, stream(), config(max_pairs=3), {})
    made = artefacts.read(tmp_path / "b", BITEXT)
    assert made.info["accepted"] == {"toy": 3}
    assert positions(made.path, "pairs") == [0, 1, 2]


def test_max_pairs_does_not_change_the_share_of_rejects(tmp_path):
    made = bitext(tmp_path / "b", checked(*[None, None, "empty"] * 20), max_pairs=5)
    assert made.info["accepted"] == {"toy": 5}
    assert made.info["rejected"] == {"toy": {"empty": 2}}


def test_more_pairs_allowed_than_there_are(tmp_path):
    assert bitext(tmp_path / "b", checked(None, None), max_pairs=3).info["accepted"] == {"toy": 2}


def test_too_many_rejects_stop_with_the_reasons(tmp_path):
    tables = [checked(None, "empty", "empty", "too_long"), checked(None, None, dataset="other")]
    with pytest.raises(DataError, match=r"^toy: 3 of 4 pairs rejected \(empty 2, too_long 1\), and at most 50.0% may"):
        bitext(tmp_path / "b", *tables)
    assert list(tmp_path.iterdir()) == []


def test_the_share_of_rejects_may_be_met_exactly(tmp_path):
    assert bitext(tmp_path / "b", checked(None, "empty")).info["rejected"] == {"toy": {"empty": 1}}


@pytest.mark.parametrize("tables", [[], [checked()], [checked("empty")]])
def test_nothing_accepted_is_a_data_error(tmp_path, tables):
    with pytest.raises(DataError, match="no pair was accepted"):
        bitext(tmp_path / "b", *tables, max_reject_share=1.0)
    assert list(tmp_path.iterdir()) == []


def test_a_shard_is_full_before_the_next_begins(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "_ROWS_PER_SHARD", 3)
    writer = ShardWriter(tmp_path, "n", pa.schema([("n", pa.int64())]))
    for size in (2, 5, 1):
        writer.write(pa.table({"n": range(writer.rows, writer.rows + size)}))
    writer.close()
    files = [pq.read_table(tmp_path / f"n-{number:05d}.parquet")["n"].to_pylist() for number in range(3)]
    assert files == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert writer.rows == 8


def test_an_empty_stream_leaves_one_file_without_rows(tmp_path):
    ShardWriter(tmp_path, "n", pa.schema([("n", pa.int64())])).close()
    assert [pq.read_table(file).num_rows for file in tmp_path.iterdir()] == [0]


@pytest.mark.parametrize("rows_per_table", [1, 3, 20])
def test_the_dev_split_is_disjoint_even_and_counted(tmp_path, id_table, rows_per_table):
    pairs = [([2, 10 + i, 3], [2, 50 + i, 3]) for i in range(20)]
    tables = [id_table(pairs[start : start + rows_per_table]) for start in range(0, 20, rows_per_table)]
    path = tmp_path / "tokens"
    write_tokens(path, "f" * 64, tables, 20, 5)
    train, dev = (
        [ids[1] - 10 for ids in read_tokens(path, split).source_ids.to_pylist()] for split in ("train", "dev")
    )
    assert dev == [0, 4, 9, 14, 19]
    assert sorted(train + dev) == list(range(20))
    assert artefacts.read(path, TOKENS).info == {"pairs": 20, "train": 15, "dev": 5, "no_tokens": 0}


def test_a_pair_without_tokens_is_dropped_and_counted(tmp_path, id_table):
    pairs = [([2, 7, 3], [2, 7, 3])] * 3 + [([2, 3], [2, 7, 3]), ([2, 7, 3], [2, 3])] + [([2, 7, 3], [2, 7, 3])] * 3
    write_tokens(tmp_path / "tokens", "f" * 64, [id_table(pairs)], 8, 2)
    assert artefacts.read(tmp_path / "tokens", TOKENS).info == {"pairs": 8, "train": 4, "dev": 2, "no_tokens": 2}


def test_too_few_pairs_to_hold_any_out(tmp_path):
    with pytest.raises(DataError, match="7 pairs, of which 4 would be held out; give more bitext or set bitext.dev"):
        write_tokens(tmp_path / "tokens", "f" * 64, [], 7, 4)
