"""Tables: columns by name or by place, quotes, and no field in another's place."""

import resource
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from optical.data.bitext.readers import parquet as parquet_reader
from optical.data.bitext.readers import read_pairs
from optical.data.bitext.reading import Reading
from optical.data.bitext.screen import Limits, Reject, SentencePair
from optical.errors import DataError

ONE = [SentencePair(0, "moja", "one")]


def read(path: Path, content: bytes | None = None, reader: str = "csv", limits: Limits | None = None) -> list:
    if content is not None:
        path.write_bytes(content)
    return list(read_pairs([path], reader, "swa", "eng", limits or Limits()))


@pytest.mark.parametrize(
    "content",
    [
        b"moja,one\n",
        b"source,target\nmoja,one\n",
        b"id,EN,sw,score\n7,one,moja,.5\n",
        b"\xef\xbb\xbfenglish,non_english\none,moja\n",
        b'"swa","eng"\r\n"moja","one"',
    ],
)
def test_csv_columns_by_name_or_place(tmp_path: Path, content: bytes):
    assert read(tmp_path / "a.csv", content) == ONE


def test_csv_quotes_hold_commas_newlines_and_quotes(tmp_path: Path):
    content = b'source,target\n"mo\nja, ""1""","one\r\n1"\nmbili,two\n'
    assert read(tmp_path / "a.csv", content) == [
        SentencePair(0, 'mo ja, "1"', "one 1"),
        SentencePair(1, "mbili", "two"),
    ]


def test_csv_bad_records_are_rejected_one_by_one(tmp_path: Path):
    content = b'source,target\na,b,c\n\na\n"x"y,z\n\xff,b\n"' + b"z" * 200 + b'\n",w\nmoja,one\n'
    found = read(tmp_path / "a.csv", content, limits=Limits(max_bytes=100))
    reasons = ["malformed", "malformed", "malformed", "malformed", "utf8", "too_long"]
    assert found == [*map(Reject, range(6), reasons), SentencePair(6, "moja", "one")]


def test_csv_a_quote_that_is_never_closed_stops_the_reading(tmp_path: Path):
    with pytest.raises(DataError, match=r"a\.csv, line 2: a quote is opened and never closed"):
        read(tmp_path / "a.csv", b'moja,one\nmbili,"two\ntatu,three\n')


def test_csv_a_stray_quote_is_text_and_pairs_no_field_with_another_record(tmp_path: Path):
    found = read(tmp_path / "a.csv", b'moja,on"e\nmbili,tw"o\ntatu,three\n')
    assert found == [
        SentencePair(0, "moja", 'on"e'),
        SentencePair(1, "mbili", 'tw"o'),
        SentencePair(2, "tatu", "three"),
    ]


def test_tsv_header_and_quotes_are_text(tmp_path: Path):
    content = b'score\tsource\ttarget\n.5\t"moja\tone"\n.5\tmbili\n'
    assert read(tmp_path / "a.tsv", content, "tsv") == [SentencePair(0, '"moja', 'one"'), Reject(1, "malformed")]
    assert read(tmp_path / "b.tsv", b"one\tmoja\tCC-BY\n", "tsv-english-first") == ONE


@pytest.mark.parametrize("reader", ["csv", "tsv", "jsonl"])
def test_empty_files_have_no_pairs(tmp_path: Path, reader: str):
    assert read(tmp_path / "a", b"", reader) == []


@pytest.mark.parametrize("reader", ["csv", "tsv", "jsonl"])
def test_a_giant_line_costs_no_memory(tmp_path: Path, reader: str):
    path = tmp_path / "a"
    with path.open("wb") as out:
        for _ in range(96):
            out.write(b"z" * (1 << 20))
        out.write(b"\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert read(path, None, reader) == [Reject(0, "too_long")]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30 * 1024


def parquet(path: Path, columns: dict) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    "columns",
    [
        {"source": ["moja"], "target": ["one"]},
        {"id": [3], "en": ["one"], "sw": ["moja"]},
        {"translation": [{"en": "one", "sw": "moja"}]},
        {"sw": pa.array(["moja"]).dictionary_encode(), "en": pa.array(["one"], pa.large_string())},
    ],
)
def test_parquet_columns_by_name(tmp_path: Path, columns: dict):
    assert read(parquet(tmp_path / "a.parquet", columns), reader="parquet") == ONE


def test_parquet_nulls_and_bad_text_reject_their_own_pair(tmp_path: Path):
    bad = pa.StringArray.from_buffers(2, pa.py_buffer(b"\0\0\0\0\1\0\0\0\3\0\0\0"), pa.py_buffer(b"\xffab"))
    path = parquet(tmp_path / "a.parquet", {"source": bad, "target": ["x", None]})
    assert read(path, reader="parquet") == [Reject(0, "utf8"), Reject(1, "missing")]
    assert (
        read(
            parquet(path, {"source": pa.array([], pa.string()), "target": pa.array([], pa.string())}), reader="parquet"
        )
        == []
    )


@pytest.mark.parametrize(
    "columns", [{"a": ["x"], "b": ["y"]}, {"source": [["x", "y"]], "target": [["z"]]}, {"sw": ["x"]}]
)
def test_parquet_without_two_text_columns_is_refused(tmp_path: Path, columns: dict):
    with pytest.raises(DataError, match="no text columns for swa and eng among"):
        read(parquet(tmp_path / "a.parquet", columns), reader="parquet")


def test_parquet_damage_and_giants(tmp_path: Path):
    path = parquet(tmp_path / "a.parquet", {"source": ["moja"] * 5000, "target": [str(n) for n in range(5000)]})
    with pytest.raises(DataError, match="row group 0 holds .* bytes of .*smaller row groups"):
        list(parquet_reader.read(Reading([path], "swa", "eng", Limits()), max_chunk_bytes=100))
    assert len(read(path, reader="parquet")) == 5000
    whole = path.read_bytes()
    for content in (b"", whole[:-1], whole[len(whole) // 2 :], whole[:2000] + bytes(3000) + whole[5000:]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"a\.parquet: damaged parquet"):
            read(path, reader="parquet")
