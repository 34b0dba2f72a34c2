"""Bitext readers and the streams under them: no pair is lost, none is shifted."""

import gzip
import io
import json
import os
import resource
import zipfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from optical.data.bitext.readers import read_pairs
from optical.data.bitext.screen import Limits, Reject, SentencePair
from optical.data.files.open import TooLong, lines, open_bytes
from optical.errors import DataError, UserError

TRAPS = "a\u2028b\nc\u0085d\x0ce\n\nf\u2029\x1cg\nh\n".encode()
LIMITS = Limits()


def pairs(paths: list[Path], reader: str, limits: Limits = LIMITS) -> list[SentencePair | Reject]:
    return list(read_pairs(paths, reader, "swa", "eng", limits))


def moses(folder: Path, source: bytes, target: bytes, limits: Limits = LIMITS) -> list[SentencePair | Reject]:
    (folder / "a.swa").write_bytes(source)
    (folder / "a.eng").write_bytes(target)
    return pairs([folder / "a.swa", folder / "a.eng"], "moses", limits)


def read_all(path: Path) -> bytes:
    with open_bytes(path) as stream:
        return stream.read()


# Streams


def test_lines_split_on_newline_only():
    assert list(lines(io.BytesIO(TRAPS), 100)) == TRAPS.removesuffix(b"\n").split(b"\n")


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=80), st.integers(1, 12))
def test_line_count_never_depends_on_the_bound(data: bytes, bound: int):
    expected = data.removesuffix(b"\n").split(b"\n") if data else []
    found = list(lines(io.BytesIO(data), bound))
    assert len(found) == len(expected)
    for line, whole in zip(found, expected, strict=True):
        assert line.endswith(whole.removesuffix(b"\r")[3:]) if isinstance(line, bytes) else len(whole) > bound


def test_bound_crlf_bom_and_final_newline():
    assert list(lines(io.BytesIO(b"12345\r\n123456\n\xef\xbb\xbf1\r\r\nx"), 5)) == [
        b"12345",
        TooLong(7),
        b"\xef\xbb\xbf1\r",
        b"x",
    ]
    assert list(lines(io.BytesIO(b"\xef\xbb\xbfx\ny"), 9)) == [b"x", b"y"]


def test_every_container_gives_the_same_bytes(tmp_path: Path):
    (tmp_path / "x").write_bytes(TRAPS)
    (tmp_path / "x.gz").write_bytes(gzip.compress(TRAPS[:9]) + gzip.compress(TRAPS[9:]))
    packed = zstandard.ZstdCompressor()
    (tmp_path / "x.zst").write_bytes(packed.compress(TRAPS[:9]) + packed.compress(TRAPS[9:]))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("d/x.gz", gzip.compress(TRAPS))
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("x", TRAPS)
        archive.writestr("y", b"")
    for name in ("x", "x.gz", "x.zst", "x.zip", "x.zip!d/x.gz", "two.zip!x"):
        assert read_all(tmp_path / name) == TRAPS, name


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_truncated_file_is_refused_wherever_it_is_cut(tmp_path: Path, suffix: str):
    text = os.urandom(3000)
    whole = gzip.compress(text) if suffix == ".gz" else zstandard.ZstdCompressor(write_checksum=True).compress(text)
    path = tmp_path / f"shard{suffix}"
    for cut in (0, 1, 5, 10, len(whole) // 2, len(whole) - 8, len(whole) - 4, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=rf"shard\{suffix}.*truncated.* bytes"):
            read_all(path)


def test_flipped_bit_in_gzip_is_refused(tmp_path: Path):
    damaged = bytearray(gzip.compress(os.urandom(3000)))
    damaged[1500] ^= 1
    (tmp_path / "x.gz").write_bytes(damaged)
    with pytest.raises(DataError, match=r"x\.gz: damaged"):
        read_all(tmp_path / "x.gz")


def test_zip_dangers(tmp_path: Path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../up", b"1")
        archive.writestr("/root", b"2")
    for member, rule in (("../up", "unsafe"), ("/root", "unsafe"), ("absent", "has no member")):
        with pytest.raises(DataError, match=rule):
            read_all(Path(f"{path}!{member}"))
    with pytest.raises(DataError, match="holds 2 files"):
        read_all(path)
    path.write_bytes(b"PK not a zip")
    with pytest.raises(DataError, match="unreadable zip"):
        read_all(path)


def test_missing_file_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"absent\.tsv: cannot be opened"):
        read_all(tmp_path / "absent.tsv")


def test_a_giant_line_costs_no_memory(tmp_path: Path):
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        for _ in range(96):
            stream.write(bytes(1 << 20))
        stream.write(b"\nx\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open_bytes(path) as stream:
        found = list(lines(stream, 1000))
    assert found == [TooLong((96 << 20) + 1), b"x"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


# Moses


def test_moses_keeps_alignment_around_every_trap(tmp_path: Path):
    found = moses(tmp_path, TRAPS, b"1\n2\n3\n4\n5")
    assert found == [
        SentencePair(0, "a b", "1"),
        SentencePair(1, "c d e", "2"),
        Reject(2, "empty"),
        SentencePair(3, "f g", "4"),
        SentencePair(4, "h", "5"),
    ]


def test_moses_bad_line_rejects_its_own_pair_only(tmp_path: Path):
    found = moses(tmp_path, b"a\n\xff\nc\r\n" + b"z" * 999 + b"\ne\n", b"1\n2\n3\n4\n5\n", Limits(max_bytes=100))
    assert found == [
        SentencePair(0, "a", "1"),
        Reject(1, "utf8"),
        SentencePair(2, "c", "3"),
        Reject(3, "too_long"),
        SentencePair(4, "e", "5"),
    ]


@pytest.mark.parametrize(("source", "target"), [(5, 4), (4, 5), (3, 0)])
def test_moses_unequal_sides_are_refused_with_both_counts(tmp_path: Path, source: int, target: int):
    with pytest.raises(DataError, match=rf"a\.swa.*a\.eng: {source} source lines, {target} target lines; rebuild"):
        moses(tmp_path, b"x\n" * source, b"y\n" * target)


def test_moses_gives_no_pair_past_the_shorter_side(tmp_path: Path):
    (tmp_path / "a.swa").write_bytes(b"x\n" * 3)
    (tmp_path / "a.eng").write_bytes(b"y\n")
    reading = read_pairs([tmp_path / "a.swa", tmp_path / "a.eng"], "moses", "swa", "eng", LIMITS)
    assert next(reading) == SentencePair(0, "x", "y")
    with pytest.raises(DataError):
        next(reading)


def test_moses_missing_final_newline_is_no_difference(tmp_path: Path):
    assert moses(tmp_path, b"x\ny", b"1\n2\n") == [SentencePair(0, "x", "1"), SentencePair(1, "y", "2")]
    assert moses(tmp_path, b"", b"") == []


SIDE = st.binary(max_size=30).map(lambda side: side.translate(None, b"\n\t\0"))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(SIDE, SIDE), max_size=12))
def test_accepted_plus_rejected_is_physical(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[bytes, bytes]]):
    folder = tmp_path_factory.getbasetemp()
    rows = [("\u00e9".encode(),) * 2] * 40 + rows  # as a whole the file is UTF-8
    sides = [b"".join(side + b"\n" for side in column) for column in zip(*rows, strict=True)] or [b"", b""]
    found = moses(folder, *sides, Limits(max_bytes=20))
    assert [pair.position for pair in found] == list(range(len(rows)))
    (folder / "a.tsv").write_bytes(b"".join(a + b"\t" + b + b"\n" for a, b in rows))
    assert [pair.position for pair in pairs([folder / "a.tsv"], "tsv")] == list(range(len(rows)))


# TSV, JSONL


def test_tsv_takes_the_two_columns_with_text_of_every_file(tmp_path: Path):
    (tmp_path / "a.tsv").write_bytes(b"\xef\xbb\xbfhabari\thello\tCC-BY 2.0 \xff\nlonely\n\n")
    (tmp_path / "b.tsv.gz").write_bytes(gzip.compress(b"asante\tthanks"))
    assert pairs([tmp_path / "a.tsv", tmp_path / "b.tsv.gz"], "tsv") == [
        SentencePair(0, "habari", "hello"),
        Reject(1, "missing"),
        Reject(2, "missing"),
        SentencePair(3, "asante", "thanks"),
    ]


@pytest.mark.parametrize(
    "row",
    [
        {"source": "moja", "target": "one"},
        {"swa": "moja", "eng": "one"},
        {"en": "one", "sw": "moja"},
        {"translation": {"en": "one", "sw": "moja"}},
        {"non_english": "moja", "english": "one", "lang": "swa"},
        {"id": 0, "question": "moja", "translated_question": "one", "lang": "swa"},
    ],
)
def test_jsonl_keys(tmp_path: Path, row: dict):
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    assert pairs([tmp_path / "a.jsonl"], "jsonl") == [SentencePair(0, "moja", "one")]


def test_jsonl_bad_rows_are_rejected_one_by_one(tmp_path: Path):
    rows = [
        b'{"source": "a", "target": "b"',
        b'{"source": "a"}',
        b'{"source": "a", "target": null}',
        b'{"source": 5, "target": "b"}',
        b'["a", "b"]',
        b'{"source": "\\ud800", "target": "b"}',
        b'{"source": "\xff", "target": "b"}',
        b"[" * 30_000,
        b'{"source": "' + b"z" * 70_000 + b'", "target": "b"}',
        b'{"source": "a\\nb", "target": "c"}',
    ]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(rows))
    found = pairs([tmp_path / "a.jsonl"], "jsonl")
    reasons = ["malformed", "missing", "missing", "missing", "missing", "utf8", "utf8", "malformed", "too_long"]
    assert found == [*map(Reject, range(9), reasons), SentencePair(9, "a b", "c")]


# TMX

TMX = (
    '<?xml version="1.0" encoding="UTF-8"?>{doctype}<tmx version="1.4"><header srclang="en"/><body>{units}</body></tmx>'
)


def tmx(folder: Path, units: str, doctype: str = "", limits: Limits = LIMITS) -> list[SentencePair | Reject]:
    (folder / "a.tmx").write_text(TMX.format(doctype=doctype, units=units))
    return pairs([folder / "a.tmx"], "tmx", limits)


def unit(source: str, target: str, source_code: str = "sw", target_code: str = "en") -> str:
    return (
        f'<tu><prop type="note">no text</prop><tuv xml:lang="{target_code}">\n<seg>{target}</seg></tuv>'
        f'<tuv lang="{source_code}"><seg>{source}</seg></tuv></tu>'
    )


def test_tmx_pairs_in_any_order_alias_and_region(tmp_path: Path):
    found = tmx(tmp_path, unit("moja", "one") + unit("mbili", "two", "swh", "EN-US") + unit("tatu", "three", "fr"))
    assert found == [SentencePair(0, "moja", "one"), SentencePair(1, "mbili", "two"), Reject(2, "missing")]


def test_tmx_text_references_and_inline_codes(tmp_path: Path):
    found = tmx(tmp_path, unit("a &amp; <hi>b</hi> <ph>{code}</ph>c", "x &#233; y"))
    assert found == [SentencePair(0, "a & b c", "x \u00e9 y")]


def test_tmx_empty_and_too_long_segments(tmp_path: Path):
    found = tmx(tmp_path, unit("", "one") + unit("z" * 500, "two") + unit("tatu", "three"), limits=Limits(max_bytes=99))
    assert found == [Reject(0, "empty"), Reject(1, "too_long"), SentencePair(2, "tatu", "three")]


def test_tmx_many_blocks(tmp_path: Path):
    found = tmx(tmp_path, "".join(unit(f"neno {i}", f"word {i}") for i in range(2000)))
    assert found == [SentencePair(i, f"neno {i}", f"word {i}") for i in range(2000)]


def test_tmx_declared_entities_are_refused_and_a_bare_doctype_is_not_fetched(tmp_path: Path):
    bomb = '<!DOCTYPE tmx [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    with pytest.raises(DataError, match=r"a\.tmx: declares or needs entity 'a' at line 1"):
        tmx(tmp_path, unit("&b;", "x"), bomb)
    assert tmx(tmp_path, unit("a", "b"), '<!DOCTYPE tmx SYSTEM "tmx14.dtd">') == [SentencePair(0, "a", "b")]


def test_tmx_truncated_is_refused_with_the_place(tmp_path: Path):
    (tmp_path / "a.tmx").write_text(TMX.format(doctype="", units=unit("a", "b"))[:-20])
    with pytest.raises(DataError, match=r"a\.tmx: not well-formed at line 2"):
        pairs([tmp_path / "a.tmx"], "tmx")


def test_unknown_reader(tmp_path: Path):
    with pytest.raises(UserError, match="csv, .*jsonl, .*moses, .*parquet, .*tmx, tsv, tsv-english-first"):
        read_pairs([tmp_path], "docx", "swa", "eng", LIMITS)


@pytest.mark.skipif("OPTICAL_MIRROR" not in os.environ, reason="needs the mirror of real data")
@pytest.mark.parametrize(
    ("name", "physical", "accepted"),
    [
        ("globalvoices-swa", 30782, 30738),
        ("tico19-swa", 3071, 3070),
        ("hornmt-som", 2030, 2030),
        ("tatoeba-anki-fin", 59490, 59489),
        ("tatoeba-anki-tgl", 3821, 3821),
        ("bible-fin", 27862, 27861),
        ("bible-tgl", 31102, 31101),
        ("bible-deu", 30925, 30923),
        ("flores-sib200-som", 1004, 1004),
        ("mkqa-fin", 6758, 6758),
        ("mkqa-tam", 350, 350),
        ("mgsm-swa", 250, 250),
        ("gatitos-fra", 3999, 3997),
        ("afriqa-questions-swa", 832, 832),
    ],
)
def test_real_counts(tmp_path: Path, name: str, physical: int, accepted: int):
    from optical.data.bitext.sources import open_source
    from optical.data.registry.datasets import dataset

    entry = dataset(name)
    source = open_source(name, tmp_path, os.environ["OPTICAL_MIRROR"])
    found = list(read_pairs(source.paths, source.reader, entry.source, entry.target, LIMITS))
    assert len(found) == physical == entry.count
    assert sum(isinstance(pair, SentencePair) for pair in found) == accepted


@pytest.mark.skipif("OPTICAL_MIRROR" not in os.environ, reason="needs the mirror of real data")
@pytest.mark.parametrize(
    ("name", "pairs"),
    [("squad-nqg", 11877), ("nq-oracle", 2655), ("qed", 1355), ("selqa", 2691), ("medquad", 16407), ("pubmedqa", 1000)],
)
def test_real_questions(tmp_path: Path, name: str, pairs: int):
    from optical.data.bitext.sources import open_source

    source = open_source(name, tmp_path, os.environ["OPTICAL_MIRROR"])
    assert sum(1 for _ in read_pairs(source.paths, source.reader, "eng", "eng", LIMITS)) == pairs
