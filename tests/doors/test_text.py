"""Text: escapes are undone and counted; what is not UTF-8 is read, or refused by name with the command that helps."""

import bz2
import gzip
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from optical.data.bitext.config import BitextConfig
from optical.data.bitext.readers import read_pairs
from optical.data.bitext.screen import REPAIRS, Limits, Reject, SentencePair, repaired, screen
from optical.data.bitext.shards import CHECKED, write_bitext
from optical.data.cleaning.leaks import HeldOut
from optical.data.cleaning.side import Side
from optical.data.files.open import open_seekable, text_lines
from optical.errors import DataError
from pipelines.cleaning import _rows

SWAHILI = ["Habari ya asubuhi", "Caf\u00e9 na na\u00efve", "Jina langu ni Zo\u00eb"] * 4
ENGLISH = ["Good morning to you", "Caf\u00e9 and na\u00efve", "My name is Zo\u00eb"] * 4
PAIRS = [SentencePair(number, *pair) for number, pair in enumerate(zip(SWAHILI, ENGLISH, strict=True))]
TABLE = "".join(f"{source}\t{target}\n" for source, target in zip(SWAHILI, ENGLISH, strict=True))


def read(path: Path, reader: str = "tsv") -> list[SentencePair | Reject]:
    return list(read_pairs([path], reader, "swa", "eng", Limits()))


@pytest.mark.parametrize(
    ("text", "expected", "kinds"),
    [
        ("don&apos;t", "don't", ["escapes"]),
        ("&quot;a&quot; &#39;b&#39; &#x27;c&#x27;", "\"a\" 'b' 'c'", ["escapes"]),
        ("&#91;1&#93; a &#124; b", "[1] a | b", ["escapes"]),
        ("&amp;amp; &amp;quot;x&amp;quot;", '& "x"', ["escapes"]),
        ("R&amp;D caf&eacute;&hellip;", "R&D caf\u00e9\u2026", ["escapes"]),
        ("& quot ; x & quot; &amp ; y", '" x " & y', ["escapes"]),
        ("&bra; x &ket; &bar;", "[ x ] |", ["escapes"]),
        ("well @-@ known 1 @,@ 000 and 2 @.@ 5", "well-known 1,000 and 2.5", ["joints"]),
        ("one<br>two<BR />three", "one two three", ["markup"]),
        ("<p class='x'>km<sup>2</sup> <i>is</i> <a href=\"u\">here</a></p>", " km2 is here ", ["markup"]),
        ("&lt;b&gt;bold&lt;/b&gt;", "bold", ["escapes", "markup"]),
        ("AT&T & R&D; &c. &notit; &nosuch;", "AT&T & R&D; &c. &notit; &nosuch;", []),
        ("a < b > c, <3, <name>, <unk> x@y.z @.@ @", "a < b > c, <3, <name>, <unk> x@y.z @.@ @", []),
        ("\u0645\u06cc\u200c\u0631\u0648\u062f \u200f\u202b", "\u0645\u06cc\u200c\u0631\u0648\u062f \u200f\u202b", []),
    ],
)
def test_what_no_sentence_means_is_undone_and_the_rest_stays(text: str, expected: str, kinds: list[str]):
    assert repaired(text) == (expected, kinds)
    assert repaired(expected)[0] == expected
    assert set(kinds) <= set(REPAIRS)


def test_a_repaired_pair_is_accepted_and_says_so():
    found = screen(0, b"si&#39;ku<br>njema", "good @-@ night", Limits())
    assert found == SentencePair(0, "si'ku njema", "good-night")
    assert found.repairs == "escapes+joints+markup"
    assert screen(0, b"siku", b"day", Limits()).repairs is None
    assert screen(0, b"&nbsp;<br>&#8203;", b"day", Limits()) == Reject(0, "empty")
    assert screen(0, b"a&#9;b&#10;c", b"day", Limits()).source == "a b c"


@pytest.mark.parametrize("side", ["lost \ufffd here", "caf\u00c3\u00a9", "it\u00e2\u20ac\u2122s", "\u00e0\u00a4\u00ae"])
def test_a_pair_with_lost_or_twice_encoded_characters_is_refused(side: str):
    assert screen(0, side, b"day", Limits()).reason == screen(0, b"siku", side, Limits()).reason == "damaged"


@pytest.mark.parametrize(
    "side", ["\u00ab OSL\u00d8 \u00bb", "OSL\u00d8\u00bb", "bl\u00e9\u00b2", "S\u00c3O", "\u00c2\u00a0x"]
)
def test_letters_beside_signs_are_no_damage(side: str):
    assert screen(0, side, b"day", Limits()).reason is None


@pytest.mark.parametrize("cell", ["nan", "NaN", "#NAME?", "#N/A", "\\N", "NULL"])
def test_what_programs_write_for_nothing_is_no_side(cell: str):
    assert screen(0, cell, b"day", Limits()).reason == screen(0, b"siku", cell.encode(), Limits()).reason == "missing"
    assert screen(0, f"{cell} x", b"day", Limits()).reason is None


def test_repairs_are_counted_by_data_set_and_shown(tmp_path: Path):
    rows = [
        {"dataset": "a", "position": number, "source": "x", "target": "y", "repairs": kind}
        for number, kind in enumerate([None, "escapes", "escapes+markup", None])
    ]
    rows[2]["reason"] = "duplicate"
    table = pa.Table.from_pylist(rows, schema=CHECKED)
    facts = {"licences": {"a": "CC0-1.0"}}
    write_bitext(tmp_path / "b", "f" * 64, [table], BitextConfig(datasets=("a",)), facts)
    account = json.loads((tmp_path / "b" / "cleaning.json").read_text())
    assert account["repaired"] == {"a": {"escapes": 1}}
    assert (account["accepted"], account["rejected"]) == ({"a": 3}, {"a": {"duplicate": 1}})
    assert ("a", "escapes", "1", "25.00%", REPAIRS["escapes"]) in list(_rows(account))


def test_without_repairs_the_account_is_as_it_was(tmp_path: Path):
    table = pa.Table.from_pylist([{"dataset": "a", "position": 0, "source": "x", "target": "y"}], schema=CHECKED)
    write_bitext(tmp_path / "b", "f" * 64, [table], BitextConfig(datasets=("a",)), {})
    assert set(json.loads((tmp_path / "b" / "cleaning.json").read_text())) == {"accepted", "rejected", "examples"}
    assert pa.parquet.read_schema(tmp_path / "b" / "pairs-00000.parquet").names == [
        "dataset", "position", "source", "target",
    ]  # fmt: skip


def test_a_leak_is_found_behind_an_escape():
    held = HeldOut.of({"test": ["She doesn&#39;t know where Rosa lives now"]})
    pair = screen(0, b"Hajui", b"She doesn&apos;t know where Rosa lives now", Limits())
    assert held.leaks(Side([pair.source], "swa"), Side([pair.target], "eng")).tolist() == ["test"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-bom", "utf-32"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_marked_encodings_and_all_line_ends_are_read(tmp_path: Path, encoding: str, newline: str):
    text = TABLE.replace("\n", newline)
    content = ("\ufeff" + text).encode("utf-16-be") if encoding == "utf-16-be-bom" else text.encode(encoding)
    for name, packed in (("p.tsv", content), ("p.tsv.gz", gzip.compress(content))):
        (tmp_path / name).write_bytes(packed)
        assert read(tmp_path / name) == PAIRS
    assert [line for _, line in text_lines(tmp_path / "p.tsv", 1 << 20)] == TABLE.splitlines()


def test_lines_that_end_in_cr_are_no_single_pair(tmp_path: Path):
    (tmp_path / "p.tsv").write_bytes(b"moja\tone\rmbili\ttwo\r")
    assert read(tmp_path / "p.tsv") == [SentencePair(0, "moja", "one"), SentencePair(1, "mbili", "two")]
    (tmp_path / "p.tsv").write_bytes(b"mo\rja\tone\nmbili\ttwo\n")
    assert read(tmp_path / "p.tsv") == [SentencePair(0, "mo ja", "one"), SentencePair(1, "mbili", "two")]


def test_moses_sides_may_differ_in_encoding(tmp_path: Path):
    (tmp_path / "c.sw").write_bytes("\n".join(SWAHILI).encode("utf-16"))
    (tmp_path / "c.en").write_bytes("\r".join(ENGLISH).encode())
    assert list(read_pairs([tmp_path / "c.sw", tmp_path / "c.en"], "moses", "swa", "eng", Limits())) == PAIRS


def test_a_cut_or_broken_utf_16_file(tmp_path: Path):
    (tmp_path / "p.tsv").write_bytes(TABLE.encode("utf-16")[:-1])
    with pytest.raises(DataError, match="p.tsv: is not what it says"):
        read(tmp_path / "p.tsv")
    (tmp_path / "p.tsv").write_bytes("moja\tone\nm\ud800\ttwo\n".encode("utf-16", "surrogatepass"))
    assert read(tmp_path / "p.tsv") == [SentencePair(0, "moja", "one"), Reject(1, "utf8")]


AMHARIC = "\u1230\u120b\u121d \u1208\u12d3\u1208\u121d\thello world\n" * 20


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TABLE.encode("utf-16-le"), "looks like UTF-16LE without a byte order mark; convert it: iconv -f UTF-16LE -t"),
        (TABLE.encode("utf-16-be"), "looks like UTF-16BE without a byte order mark"),
        (AMHARIC.encode("utf-16-le"), "looks like UTF-16LE without"),
        (TABLE.encode("utf-32-le"), "looks like UTF-32LE without"),
        (TABLE.encode("utf-32-be"), "looks like UTF-32BE without"),
        (
            TABLE.encode("latin-1"),
            "is not UTF-8 and looks like Windows-1252 or Latin-1; .* iconv -f WINDOWS-1252 -t UTF-8",
        ),
        ("\u4f60\u597d\u4e16\u754c\thello\n".encode("gb18030") * 9, "is not UTF-8, but an encoding that `file`"),
        ("\u043c\u0438\u0440\thello\n".encode("koi8-r") * 9, "is not UTF-8, but an encoding that `file`"),
        (
            TABLE.encode().decode("cp1252").encode(),
            "looks like UTF-8 that was taken for Windows-1252 and encoded again",
        ),
        (AMHARIC.encode().decode("latin-1").encode(), "looks like UTF-8 that was taken for Windows-1252"),
        (("caf\ufffd\tcoffee\n" * 9).encode(), "has lost characters .U.FFFD. in an earlier conversion"),
        (gzip.compress(TABLE.encode()), "is gzip-compressed; give its name the ending .gz"),
        (bz2.compress(TABLE.encode()), "is bzip2-compressed"),
        (b"PAR1" + bytes(100), "is a parquet file"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            "is a Git LFS pointer.* run git lfs pull",
        ),
    ],
)
def test_what_is_no_utf_8_text_is_refused_by_name(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "p.tsv").write_bytes(content)
    with pytest.raises(DataError, match=f"p.tsv: {message}"):
        read(tmp_path / "p.tsv")
    with pytest.raises(DataError, match=f"p.tsv: {message}"):
        list(text_lines(tmp_path / "p.tsv", 1 << 20))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"mo\xffja\tone", "utf8"),
        (b"mo\0ja\tone", "control"),
        (b"mo\x02ja\tone", "control"),
        (b"\xe2\x80\x8b\tone", "empty"),
    ],
)
def test_a_bad_line_in_a_good_file_is_one_reject(tmp_path: Path, line: bytes, reason: str):
    (tmp_path / "p.tsv").write_bytes(TABLE.encode() + line + b"\n" + TABLE.encode())
    found = read(tmp_path / "p.tsv")
    assert len(found) == 25 and found[12] == Reject(12, reason)
    assert sum(pair.reason is None for pair in found) == 24


def test_zeros_anywhere_are_control_characters_and_no_encoding(tmp_path: Path):
    (tmp_path / "p.tsv").write_bytes(b"moj\0ja\tone\n" * 9)
    assert read(tmp_path / "p.tsv") == [Reject(number, "control") for number in range(9)]


def test_french_and_others_are_not_taken_for_broken_text(tmp_path: Path):
    lines = [
        "\u00c0 demain\u00a0! \u00ab\u00a0\u00c9t\u00e9\u00a0\u00bb \u00e0\u00a0Paris",
        "\u00c2ge \u00d1and\u00fa",
        "\u4f60\u597d",
    ]
    (tmp_path / "p.tsv").write_text("".join(f"{line}\t{line}\n" for line in lines * 9), encoding="utf-8")
    assert all(pair.reason is None for pair in read(tmp_path / "p.tsv"))


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_plain_text_under_a_packed_name_is_named(tmp_path: Path, suffix: str):
    (tmp_path / f"p.tsv{suffix}").write_text(TABLE)
    with pytest.raises(
        DataError, match=rf"no {suffix} file at all: it begins with b'Habari.*take {suffix} off its name"
    ):
        read(tmp_path / f"p.tsv{suffix}")


def test_a_binary_file_is_left_alone(tmp_path: Path):
    content = b"\xff\xfe" + bytes(range(256)) * 9
    (tmp_path / "p.parquet").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("p.parquet", content)
    for name in ("p.parquet", "p.zip"):
        with open_seekable(tmp_path / name) as stream:
            assert stream.read() == content


def test_json_and_csv_in_utf_16(tmp_path: Path):
    (tmp_path / "p.jsonl").write_bytes('{"source": "moja", "target": "one"}\n'.encode("utf-16"))
    (tmp_path / "p.csv").write_bytes('source,target\n"moja","one"\n'.encode("utf-16"))
    for name, reader in (("p.jsonl", "jsonl"), ("p.csv", "csv")):
        assert read(tmp_path / name, reader) == [SentencePair(0, "moja", "one")]
