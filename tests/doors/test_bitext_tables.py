"""Tables at the door: which columns are the sides, where a quote opens a field, and that no record goes missing."""

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from optical.data.bitext import table
from optical.data.bitext.columns import side_names
from optical.data.bitext.readers import read_pairs
from optical.data.bitext.screen import Limits, Reject, SentencePair
from optical.data.bitext.sources import parse_source
from optical.errors import DataError, UserError

SWA = ["Watoto wanacheza nje", "Mvua inanyesha leo", "Nimeona simba wawili", "Kitabu kiko mezani", "Tutaondoka kesho"]
ENG = [
    "The children play outside",
    "It is raining today",
    "I saw two lions",
    "The book is on the table",
    "We leave soon",
]
RIGHT = list(zip(SWA, ENG, strict=True))


def read(path: Path, content: str | bytes, spec: str = "{}", source: str = "swa", target: str = "eng") -> list:
    """What ``spec`` gives of a file: pairs as tuples, rejects by their reason."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = parse_source(spec.format(path))
    pairs = read_pairs(found.paths, found.reader, source, target, Limits())
    return [(pair.source, pair.target) if isinstance(pair, SentencePair) else pair.reason for pair in pairs]


def rows(*columns: list[str] | Callable[[int], str], tab: str = "\t", end: str = "\n", header: str = "") -> str:
    """A table of five records from columns of texts, or of what a function makes of the record's number."""
    cells = [[column(n) if callable(column) else column[n] for column in columns] for n in range(5)]
    return header + "".join(tab.join(row) + end for row in cells)


PARACRAWL = rows(lambda n: f"https://a.org/sw/{n}", lambda n: f"https://a.org/en/{n}", SWA, ENG, lambda n: f"0.{n}7")
DETOKENISED = [f"{text}, kwa kweli" for text in SWA]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.tsv", rows(SWA, ENG)),
        ("paracrawl.tsv", PARACRAWL),
        ("scores_first.tsv", rows(lambda n: f"1.0{n}", SWA, ENG)),
        ("attribution.tsv", rows(SWA, ENG, lambda n: f"CC-BY 2.0 (France) Attribution: tatoeba.org #{n} (CK)")),
        ("tatoeba_pairs.tsv", rows(lambda n: f"{9 + n}", SWA, lambda n: f"{70 + n}", ENG)),
        ("challenge.tsv", rows(lambda n: "swa", lambda n: "eng", SWA, ENG)),
        ("ids.csv", rows(lambda n: f"{n}", SWA, ENG, tab=",", header="id,swahili,english\n")),
        ("names.tsv", rows(ENG, SWA, header="English\tSwahili\n")),
        ("codes.csv", rows(ENG, SWA, tab=",", header="eng_Latn,swh_Latn\n")),
        ("flores.tsv", rows(lambda n: f"{n}", ENG, SWA, header="id\tsentence_eng_Latn\tsentence_swh_Latn\n")),
        ("regions.tsv", rows(ENG, SWA, header="en-US\tsw-KE\n")),
        ("src_tgt.tsv", rows(SWA, ENG, header="src_text\ttgt_text\n")),
        ("suffixes.tsv", rows(ENG, SWA, header="text_en\ttext_sw\n")),
        ("numbered.tsv", rows(SWA, ENG, header="sentence1\tsentence2\n")),
        ("urls.tsv", rows(lambda n: f"x{n}", SWA, ENG, header="source_url\tsource_sentence\ttarget_sentence\n")),
        ("camel.csv", rows(ENG, SWA, tab=",", header="targetText,sourceText\n")),
        ("one_name.tsv", rows(ENG, SWA, header="English\tTranslation\n")),
        ("own_name.tsv", rows(ENG, SWA, header="English\tKiswahili\n")),
        ("places.csv", rows(lambda n: "tatoeba", lambda n: "web", SWA, ENG, tab=",", header="source,target,sw,en\n")),
        ("faq.tsv", rows(ENG, lambda n: ENG[-n], SWA, ENG, header="question\tanswer\tswahili\tenglish\n")),
        ("provenance.csv", rows(lambda n: "bbc", ENG, SWA, tab=",", header="source,english,swahili\n")),
        ("bom_crlf.tsv", "\ufeff" + rows(ENG, SWA, end="\r\n", header="en\tsw\r\n")),
        ("trailing_tabs.tsv", rows(SWA, ENG).replace("today\n", "today\t\t\n")),
        ("spreadsheet.tsv", rows([f'"{text}"' for text in SWA], [f'"{text}"' for text in ENG])),
        ("semicolons.csv", rows(SWA, ENG, tab=";")),
        ("tabs.csv", rows(SWA, ENG)),
        ("quoted.csv", rows([f'"{text}"' for text in SWA], [f'"{text}"' for text in ENG], tab=",", end="\r\n")),
    ],
)
def test_the_two_sides_are_found(tmp_path: Path, name: str, content: str):
    assert read(tmp_path / name, content) == RIGHT


def test_semicolons_divide_where_commas_are_text(tmp_path: Path):
    assert read(tmp_path / "a.csv", rows(DETOKENISED, ENG, tab=";"))[0] == (DETOKENISED[0], ENG[0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (rows(lambda n: f"{n}", SWA, ENG, SWA), "3 of 4 columns hold text, not two: 1 '0'; 2 'Watoto wanacheza nje'"),
        (rows(lambda n: f"{n}", lambda n: "swa", SWA), "1 of 3 columns hold text, not two: 1 '0'; 2 'swa'"),
        (rows(lambda n: f"https://a.org/{n}", ENG), "1 of 2 columns hold text"),
        (rows(lambda n: f"en/{n}.xml.gz", lambda n: f"sw/{n}.xml.gz", lambda n: "1 2", lambda n: "1"), "0 of 4 col"),
        (rows(lambda n: f"sw-{n}", lambda n: f"en-{n}"), "0 of 2 columns hold text"),
        (rows(ENG, SWA, header="English\tFrench\n"), "the header names no columns for swa and eng: 1 'English'"),
        (rows(ENG, SWA, header="Hindi\tFrench\n"), "the header names no columns for swa and eng"),
        (rows(SWA, ENG, ENG, header="sw\tsource\ttarget\n"), "the header names no columns for swa and eng"),
        (rows(SWA, ENG, ENG, header="sw\ten\ten\n"), "the header names column 'en' twice: 1 'sw'; 2 'en'; 3 'en'"),
        (rows(lambda n: f"{n}", SWA, header="source\ttarget\n"), "column 1 should be the source side and holds num"),
        (rows(lambda n: f"http://a/{n}", ENG, header="sw\ten\n"), "column 1 should be the source side and holds addr"),
        (rows(SWA, ENG).replace("today", "to\tday").replace("lions", "li\tons"), "record 1 has 2 fields and record 2"),
        (rows(lambda n: f"{n}", SWA, ENG, header="source\ttarget\n"), "record 1 has 2 fields and record 2 has 3"),
    ],
)
def test_tables_of_which_nobody_knows_the_sides_are_refused(tmp_path: Path, content: str, message: str):
    with pytest.raises(DataError, match=re.escape(message)) as refused:
        read(tmp_path / "a.tsv", content)
    assert str(tmp_path / "a.tsv") in str(refused.value)


def test_a_refusal_says_how_to_say_the_columns_and_saying_them_helps(tmp_path: Path):
    content = rows(ENG, SWA, lambda n: "wingu la mvua")
    with pytest.raises(DataError, match=rf"say the columns, source first: tsv:1,2:{tmp_path}/a\.tsv"):
        read(tmp_path / "a.tsv", content)
    assert read(tmp_path / "a.tsv", content, "tsv:2,1:{}") == RIGHT
    named = rows(ENG, SWA, lambda n: "wingu", tab=",", header="a,b,c\n")
    assert read(tmp_path / "a.csv", named, "csv:b,a:{}") == RIGHT


@pytest.mark.parametrize("columns", ["2,7", "1,1", "b,a", "0,1"])
def test_columns_that_are_not_there_are_refused(tmp_path: Path, columns: str):
    with pytest.raises(DataError, match=f"has no columns {' and '.join(columns.split(','))}: 1 'Watoto"):
        read(tmp_path / "a.tsv", rows(SWA, ENG), f"tsv:{columns}:{{}}")


def test_a_choice_by_a_name_that_two_columns_have_is_refused(tmp_path: Path):
    content = rows(SWA, ENG, ENG, header="swahili\tenglish\tenglish\n")
    with pytest.raises(DataError, match="the header names column 'english' twice"):
        read(tmp_path / "a.tsv", content, "tsv:swahili,english:{}")
    assert read(tmp_path / "a.tsv", content, "tsv:1,3:{}") == RIGHT


def test_a_stray_delimiter_beside_an_empty_last_column_is_malformed(tmp_path: Path):
    header, right = "id,swahili,english,notes\n", [f"{n},{swa},{eng},\n" for n, (swa, eng) in enumerate(RIGHT)]
    content = header + "".join(right) + "9,Jana nilikwenda sokoni, kununua matunda,Yesterday I went,\n"
    assert read(tmp_path / "a.csv", content) == [*RIGHT, "malformed"]
    assert read(tmp_path / "b.csv", content, "csv:2,3:{}") == [*RIGHT, "malformed"]


def test_readers_without_columns_refuse_a_choice(tmp_path: Path):
    with pytest.raises(UserError, match="has no columns to choose; use one of csv, jsonl, parquet, tsv"):
        read(tmp_path / "a.tmx", "<tmx/>", "tmx:1,2:{}")


def test_a_lexicon_of_words_that_look_like_codes_has_no_header(tmp_path: Path):
    assert read(tmp_path / "a.tsv", "it\the\nmaji\twater\n") == [("it", "he"), ("maji", "water")]


def test_english_first_by_the_readers_name(tmp_path: Path):
    anki = rows(ENG, SWA, lambda n: f"CC-BY 2.0 (France) Attribution: tatoeba.org #{n}")
    assert read(tmp_path / "a.tsv", anki, "tsv-english-first:{}") == RIGHT


def test_a_header_in_each_language_pair_of_names():
    assert side_names(["id", "en", "id_ID"], "ind", "eng") == ("id_ID", "en"), "id beside another name is a number"
    assert side_names(["en", "id"], "ind", "eng") == ("id", "en")
    assert side_names(["en", "eng_Latn", "sw"], "swa", "eng") is None, "two columns of English: nobody knows"
    assert side_names(["question", "answer", "question_sw"], "swa", "eng") is None, "one of three is Swahili: which?"
    assert side_names(["question", "answer", "question_id"], "ind", "eng") == ("question", "answer"), "a number"
    assert side_names(["score", "lang"], "swa", "eng") is None


# Quotes


def test_two_inch_marks_far_apart_cost_nothing(tmp_path: Path):
    lines = [f"neno la {n},word of {n}\n" for n in range(20_402)]
    lines[200], lines[20_201] = 'bomba la 5",a pipe\n', 'skrini,a 24" screen\n'
    found = read(tmp_path / "a.csv", "".join(lines))
    assert len(found) == 20_402
    assert found[200] == ('bomba la 5"', "a pipe")
    assert found[20_201] == ("skrini", 'a 24" screen')
    assert found[10_000] == ("neno la 10000", "word of 10000")


BEFORE, AFTER = "".join(f"neno {n},word {n}\n" for n in range(20)), "".join(f"jina {n},name {n}\n" for n in range(200))


@pytest.mark.parametrize(
    ("middle", "message"),
    [
        ('moja,"one\n' + 'mbili,"two"\n', "lines 21 and 22: a quote opens a field on the first and meets a quote with"),
        ('moja,"one\n' + AFTER, "lines 21 and 31: a quote opens a field on the first and is still open at the second"),
        ('moja,"one\n' + "a\n" * 150, "lines 21 and 121: a quote opens a field on the first and is still open at"),
        ('"moja,one\nmbili,two"\n', "lines 21 and 22: a quote opened on the first closes on the second, and makes"),
        ('moja,"one\n', "line 21: a quote is opened and never closed (the file ends at line 21)"),
    ],
)
def test_a_quote_that_swallows_records_stops_the_run_and_names_both_lines(tmp_path: Path, middle: str, message: str):
    with pytest.raises(DataError, match=re.escape(message)):
        read(tmp_path / "a.csv", BEFORE + middle)


def test_a_quoted_text_may_have_lines(tmp_path: Path):
    verse = "\n".join(f"line {n} of it, and more, and more" for n in range(60))
    found = read(tmp_path / "a.csv", f'{BEFORE}shairi,"{verse}"\nmoja,"one\n1, 2"\nmbili,two\n')
    assert found[20:] == ["too_long", ("moja", "one 1, 2"), ("mbili", "two")]


def test_quotes_of_spreadsheets_in_tabs(tmp_path: Path):
    content = 'Alisema ""x""\tShe said x\n' + '"Alisema ""ndiyo"""\t"She said ""yes"""\n'
    assert read(tmp_path / "a.tsv", '"Alisema ""ndiyo"""\t"She said ""yes"""\nHapana\tNo\n') == [
        ('Alisema "ndiyo"', 'She said "yes"'),
        ("Hapana", "No"),
    ]
    assert read(tmp_path / "b.tsv", content)[1] == ('"Alisema ""ndiyo"""', '"She said ""yes"""'), (
        "not quoted throughout"
    )


@pytest.mark.parametrize("name", ["a.tsv", "a.csv"])
def test_every_record_is_counted(tmp_path: Path, name: str):
    mark = "\t" if name == "a.tsv" else ","
    content = rows(SWA, ENG, tab=mark) + f"\npekee\na{mark}b{mark}c\n{mark}\nx{mark}\n" + rows(SWA, ENG, tab=mark)
    found = read(tmp_path / name, content)
    assert found == [*RIGHT, "missing", "missing", "malformed", "empty", "empty", *RIGHT]


def test_a_reader_that_skips_a_pair_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(table.__dict__, "_pair", lambda position, *_: Reject(position + (position > 2), "missing"))
    with pytest.raises(DataError, match="after 3 pairs comes the one of position 4"):
        read(tmp_path / "a.tsv", rows(SWA, ENG))


# JSON Lines and parquet


@pytest.mark.parametrize(
    "row",
    [
        {"id": 1, "sentence_eng_Latn": "one", "sentence_swh_Latn": "moja"},
        {"src": "moja", "tgt": "one", "src_lang": "sw"},
        {"translation": {"en": "one", "sw": "moja"}, "en": "no"},
        {"English": "one", "Swahili": "moja"},
    ],
)
def test_json_fields(tmp_path: Path, row: dict):
    assert read(tmp_path / "a.jsonl", json.dumps(row)) == [("moja", "one")]


def test_json_without_known_fields_is_refused_at_once_and_a_choice_helps(tmp_path: Path):
    content = '{"premise": "moja", "hypothesis": "one"}\n'
    with pytest.raises(DataError, match="no fields for swa and eng among premise, hypothesis; say the fields"):
        read(tmp_path / "a.jsonl", content)
    assert read(tmp_path / "a.jsonl", content, "jsonl:premise,hypothesis:{}") == [("moja", "one")]


@pytest.mark.parametrize(
    ("columns", "spec"),
    [
        ({"sentence_eng_Latn": ["one", None], "sentence_swh_Latn": ["moja", "mbili"]}, "{}"),
        ({"translation": [{"en": "one", "sw": "moja"}, {"en": None, "sw": "mbili"}]}, "{}"),
        ({"x": pa.array(["moja", "mbili"], pa.large_string()), "y": ["one", None]}, "parquet:x,y:{}"),
    ],
)
def test_parquet_columns(tmp_path: Path, columns: dict, spec: str):
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    content = (tmp_path / "a.parquet").read_bytes()
    assert read(tmp_path / "a.parquet", content, spec) == [("moja", "one"), "missing"]


@pytest.mark.parametrize("english", [pa.nulls(1), pa.array([["one"]]), pa.array([1])], ids=["null", "list", "int"])
def test_parquet_sides_that_hold_no_text_are_refused_with_their_kind(tmp_path: Path, english: pa.Array):
    pq.write_table(pa.table({"sw": ["moja"], "en": english}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=rf"among sw \(string\), en \({str(english.type)[:4]}"):
        read(tmp_path / "a.parquet", (tmp_path / "a.parquet").read_bytes())


# Moses


def moses(folder: Path, first: str, second: str, source: str = "swa") -> list[tuple[str, str]]:
    english = [name for name in (first, second) if re.search(r"^en\b|\.en(g_Latn)?\b(?!-)", name)] or [second]
    for name in (first, second):
        (folder / name).write_text("one\n" if name in english else "moja\n")
    found = parse_source(f"{folder}/{first}+{folder}/{second}")
    return [(pair.source, pair.target) for pair in read_pairs(found.paths, found.reader, source, "eng", Limits())]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("c.en", "c.sw"),
        ("c.sw", "c.en"),
        ("c.en-sw.en", "c.en-sw.sw"),
        ("c.eng_Latn.txt", "c.swh_Latn.txt"),
        ("en.txt", "sw.txt"),
        ("c.en", "c.other"),
        ("c.other", "c.en"),
        ("c.tok.en", "c.tok.sw"),
    ],
)
def test_moses_sides_by_their_suffixes(tmp_path: Path, first: str, second: str):
    assert moses(tmp_path, first, second) == [("moja", "one")]


@pytest.mark.parametrize(("first", "second"), [("c.en", "c.sw"), ("c.fr", "c.sw"), ("c.sw", "c.sw.txt")])
def test_moses_suffixes_of_other_languages_are_refused(tmp_path: Path, first: str, second: str):
    with pytest.raises(DataError, match="the suffixes say .* and the languages are som and eng; set bitext.source"):
        moses(tmp_path, first, second, source="som")


def test_what_was_decided_is_told(tmp_path: Path):
    told: list[str] = []
    (tmp_path / "a.tsv").write_text(PARACRAWL)
    next(read_pairs([tmp_path / "a.tsv"], "tsv", "swa", "eng", Limits(), told.append))
    assert told == ["source swa in column 3, target eng in column 4: the only ones of 5 with text"]
    (tmp_path / "a.en").write_text("one\n")
    (tmp_path / "a.sw").write_text("moja\n")
    next(read_pairs([tmp_path / "a.en", tmp_path / "a.sw"], "moses", "swa", "eng", Limits(), told.append))
    assert told[1:] == ["source swa in a.sw, target eng in a.en: by their suffixes"]


@pytest.mark.parametrize("text", ['[{"sw": "maji", "en": "water"}]', '{\n  "sw": "maji",\n  "en": "water"\n}\n'])
def test_json_that_is_not_a_line_a_row_is_refused_by_name(tmp_path: Path, text: str):
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(DataError, match="holds one JSON array or object, not one object a line"):
        list(read_pairs([tmp_path / "a.jsonl"], "jsonl", "swa", "eng", Limits()))


def test_endings_in_capitals_and_what_macos_adds_to_archives(tmp_path: Path):
    (tmp_path / "PAIRS.TSV").write_text("maji safi\tclean water\n")
    assert parse_source(str(tmp_path / "PAIRS.TSV")).reader == "tsv"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("pairs.tsv", "maji safi\tclean water\n")
        archive.writestr("__MACOSX/._pairs.tsv", b"\0\1")
    assert parse_source(str(tmp_path / "a.zip")).reader == "tsv"
