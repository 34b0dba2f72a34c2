"""TMX: a broken unit costs itself alone and is counted; a broken file is refused by name."""

import gzip
import io
from pathlib import Path

import pytest

from optical.data.bitext.readers import read_pairs, tmx
from optical.data.bitext.screen import Limits, Reject, SentencePair
from optical.errors import DataError

HEAD = '<?xml version="1.0" encoding="{encoding}"?>\n{doctype}<tmx version="1.4"><header srclang="en"/>\n<body>\n'
TAIL = "</body></tmx>\n"
GOOD = '<tu tuid="1"><tuv xml:lang="en"><seg>one</seg></tuv><tuv xml:lang="sw"><seg>moja</seg></tuv></tu>\n'


def unit(source: str, target: str = "one", source_code: str = "sw", target_code: str = "en") -> str:
    return (
        f'<tu><tuv xml:lang="{target_code}"><seg>{target}</seg></tuv>'
        f'<tuv xml:lang="{source_code}"><seg>{source}</seg></tuv></tu>\n'
    )


def read(folder: Path, body: str | bytes, source: str = "swa", doctype: str = "", encoding: str = "utf-8", **limits):
    body = body if isinstance(body, bytes) else body.encode(encoding)
    path = folder / "a.tmx"
    head = HEAD.format(encoding=encoding, doctype=doctype).encode(encoding)
    tail = TAIL.encode("utf-16-le" if encoding == "utf-16" else encoding)
    path.write_bytes(head + (body.removeprefix(b"\xff\xfe") if encoding == "utf-16" else body) + tail)
    return list(read_pairs([path], "tmx", source, "eng", Limits(**limits)))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (unit("mo&nbsp;ja"), "malformed"),
        (unit("mo&eacute;ja"), "malformed"),
        (unit("a & b"), "malformed"),
        (unit("if x < 3"), "malformed"),
        (unit("<b>moja"), "malformed"),
        (unit("mo\x02ja"), "control"),
        (unit("mo\x00ja"), "control"),
        (unit("mo&#2;ja"), "control"),
        (unit("mo&#x1F;ja"), "control"),
        (unit("moja").encode().replace(b"moja", b"mo\xffja"), "utf8"),
        (unit("moja", source_code="fr"), "missing"),
        (unit("moja", source_code=""), "missing"),
        ("<tu>\n</tu>\n", "missing"),
        (unit(""), "empty"),
        (unit("<ph>only code</ph>"), "empty"),
        (unit("z" * 300), "too_long"),
        (unit("moja").replace("</tu>", ""), "malformed"),
        (unit("moja").replace("</tuv>", "</tuvv>"), "malformed"),
    ],
)
def test_a_broken_unit_costs_itself_and_is_counted(tmp_path: Path, bad: str | bytes, reason: str):
    bad = bad if isinstance(bad, bytes) else bad.encode()
    found = read(tmp_path, GOOD.encode() + bad + GOOD.encode() * 2, max_bytes=200)
    assert found == [
        SentencePair(0, "moja", "one"),
        Reject(1, reason),
        *(SentencePair(n, "moja", "one") for n in (2, 3)),
    ]


@pytest.mark.parametrize(
    ("segment", "text"),
    [
        ("one<ph>{br}</ph>two", "one two"),
        ("one.<ph x='1'/>Two", "one. Two"),
        ('click <bpt i="1">&lt;b&gt;</bpt>here<ept i="1">&lt;/b&gt;</ept>.', "click here."),
        ('(<bpt i="1">&lt;b&gt;</bpt>here<ept i="1">&lt;/b&gt;</ept>)', "(here)"),
        ("l'<it pos='begin'>x</it>eau", "l'eau"),
        ("one<ut>\\par </ut>two", "one two"),
        ("one<ph>{a <sub>alt text</sub>}</ph>two", "one two"),
        ("un<hi>believ</hi>able", "unbelievable"),
        ("a <hi>b <ph>{x}</ph>c</hi> d", "a b c d"),
        ("one<br/>two", "one two"),
        ("\u4f60<ph/>\u597d", "\u4f60\u597d"),
        ("a &amp; b &lt; c &#233; &#x41;", "a & b < c \u00e9 A"),
        ("a &amp;quot;b&amp;quot; &amp;amp; c", 'a "b" & c'),
        ("<![CDATA[a < b & c]]>", "a < b & c"),
        ("one<!-- no text -->s", "ones"),
    ],
)
def test_inline_elements_leave_a_space_where_words_would_meet(tmp_path: Path, segment: str, text: str):
    assert read(tmp_path, unit("moja", segment)) == [SentencePair(0, "moja", text)]


def test_languages_by_either_attribute_in_any_spelling(tmp_path: Path):
    body = (
        unit("moja").replace("xml:lang", "lang") + unit("mbili", "two", "swh-KE", "EN-US") + unit("x", "y", "Swahili")
    )
    assert [pair.source for pair in read(tmp_path, body)] == ["moja", "mbili", "x"]


def test_of_several_segments_the_named_script_or_the_first(tmp_path: Path):
    body = (
        '<tu><tuv xml:lang="sr-Cyrl"><seg>\u0434\u0430</seg></tuv><tuv xml:lang="en-GB"><seg>yes</seg></tuv>'
        '<tuv xml:lang="sr-Latn"><seg>da</seg></tuv><tuv xml:lang="en-US"><seg>yep</seg></tuv></tu>'
    )
    assert read(tmp_path, body, "srp") == [SentencePair(0, "\u0434\u0430", "yes")]
    assert read(tmp_path, body, "srp_Latn") == [SentencePair(0, "da", "yes")]
    chinese = unit("\u4f60\u4eec", source_code="zh-CN").replace(
        "</tu>", '<tuv xml:lang="zh-TW"><seg>\u4f60\u5011</seg></tuv></tu>'
    )
    assert [read(tmp_path, chinese, code)[0].source for code in ("zh", "zh-Hans", "zh-Hant")] == [
        "\u4f60\u4eec", "\u4f60\u4eec", "\u4f60\u5011",
    ]  # fmt: skip


def test_comments_around_units_hide_them(tmp_path: Path):
    assert read(tmp_path, f"<!-- {GOOD} -->{GOOD}<!-- <tu> -->") == [SentencePair(0, "moja", "one")]


def test_accepted_and_rejected_are_the_units_however_the_blocks_fall(tmp_path: Path):
    kinds = [GOOD, unit("a&nbsp;b"), unit("x" * 700), "<!-- <tu> none -->\n", unit("y", "z\x01"), "\n" * 50]
    body = "".join(kinds[n % len(kinds)] for n in range(3000))
    found = read(tmp_path, body)
    assert [pair.position for pair in found] == list(range(2000))
    assert [pair.reason for pair in found[:4]] == [None, "malformed", "ratio", "control"]
    assert sum(pair.reason is None for pair in found) == 500


def test_a_giant_unit_is_passed_over_in_bounded_memory(tmp_path: Path):
    giant = unit("moja", "".join(f"<ph>{'code ' * 20}</ph>" for _ in range(4000)))
    assert read(tmp_path, GOOD + giant + GOOD, max_bytes=500) == [
        SentencePair(0, "moja", "one"), Reject(1, "too_long"), SentencePair(2, "moja", "one"),
    ]  # fmt: skip
    assert max(len(piece) for _, piece in tmx._pieces(io.BytesIO(giant.encode()), 1000)) < 100_000 < len(giant)


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "windows-1252", "koi8-r"])
def test_the_declared_encoding_is_read(tmp_path: Path, encoding: str):
    word = "\u0434\u0430" if encoding == "koi8-r" else "caf\u00e9"
    assert read(tmp_path, unit(word), encoding=encoding)[0].source == word


def broken(folder: Path, content: str, name: str = "a.tmx") -> str:
    content = content.encode()
    (folder / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(DataError) as refused:
        list(read_pairs([folder / name], "tmx", "swa", "eng", Limits()))
    return str(refused.value)


def test_what_is_no_whole_tmx_is_refused_by_name_and_line(tmp_path: Path):
    whole = HEAD.format(encoding="utf-8", doctype="") + GOOD * 3 + TAIL
    assert "a.tmx: not well-formed at line 6, column" in broken(tmp_path, whole[: whole.rindex("<tu ") + 40])
    assert "a.tmx: not well-formed at line 8" in broken(tmp_path, whole.replace("</tmx>", ""))
    assert "a.tmx: not well-formed at line 7" in broken(tmp_path, whole.replace("</body>", "</bod>"))
    assert "a.tmx: is <html>, not TMX" in broken(tmp_path, "<html><body/></html>")
    assert "a.tmx: not well-formed at line 1" in broken(tmp_path, "")
    assert "a.tmx.gz: not well-formed" in broken(tmp_path, whole[:200], "a.tmx.gz")
    assert "unknown encoding 'klingon'" in broken(tmp_path, whole.replace("utf-8", "klingon"))


def test_bombs_are_refused(tmp_path: Path):
    bomb = '<!DOCTYPE tmx [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    for body in (GOOD, unit("&b;")):
        with pytest.raises(DataError, match="a.tmx: declares or needs entity 'a' at line 2; expand entities first"):
            read(tmp_path, body, doctype=bomb)
    inside = GOOD + unit("x").replace("<tu>", f"<tu>{bomb}")
    assert read(tmp_path, inside)[1] == Reject(1, "malformed")
    assert len(read(tmp_path, GOOD, doctype='<!DOCTYPE tmx SYSTEM "file:///etc/passwd">')) == 1
