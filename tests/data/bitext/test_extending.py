"""What a researcher adds by one file or one line: a format of bitext, and a language."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from optical.data.bitext import readers
from optical.data.bitext.readers import read_pairs
from optical.data.bitext.screen import Limits, SentencePair
from optical.data.bitext.sources import open_source, source_language
from optical.data.registry import languages as table
from optical.data.registry.languages import known, language
from optical.errors import UserError

ARROWS = '''
"""Lines such as ``moja -> one``."""

from optical.data.bitext.joining import texts
from optical.data.bitext.reading import Format
from optical.data.bitext.screen import screen


def read(reading):
    lines = (line for path in reading.paths for line in texts(path))
    for position, line in enumerate(lines):
        source, _, target = line.partition(" -> ")
        yield screen(position, source, target, reading.limits)


FORMAT = Format(read, suffixes=(".arrows",))
'''
NEW_LINE = "xqz\tqz\tLatn\tlow\tToylandic\n"


@pytest.fixture
def no_leftovers() -> Iterator[None]:
    """Nothing that a test adds is remembered after it."""
    cached = (readers.formats, readers.reader_by_suffix, table.languages, table.known, table.canonical,
              table._by_any_code, table._by_name, table._by_exact_name)  # fmt: skip
    yield
    for function in cached:
        function.cache_clear()


def test_a_new_format_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_leftovers: None):
    (tmp_path / "arrow_lines.py").write_text(ARROWS)
    (tmp_path / "pairs.arrows").write_text("moja -> one\nmbili -> two\n")
    with pytest.raises(UserError, match="no known format"):
        open_source(str(tmp_path / "pairs.arrows"), tmp_path)
    monkeypatch.setattr(readers, "__path__", [*readers.__path__, str(tmp_path)])
    readers.formats.cache_clear()
    readers.reader_by_suffix.cache_clear()
    found = open_source(str(tmp_path / "pairs.arrows"), tmp_path)
    assert found.reader == "arrow-lines"
    pairs = read_pairs(found.paths, found.reader, "swa", "eng", Limits())
    assert list(pairs) == [SentencePair(0, "moja", "one"), SentencePair(1, "mbili", "two")]


def test_a_new_language_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_leftovers: None):
    for code in ("xqz", "qz", "Toylandic"):
        assert known(code) is None
    original = (Path(table.__file__).parent / "languages.tsv").read_text(encoding="utf-8")
    (tmp_path / "languages.tsv").write_text(original + NEW_LINE, encoding="utf-8")
    monkeypatch.setattr(table, "files", lambda _package: tmp_path)
    for function in (table.languages, table.known, table._by_any_code, table._by_name, table._by_exact_name):
        function.cache_clear()
    path = tmp_path / "pairs.tsv"
    path.write_text("English\tToylandic\none\tqwa\ntwo\tqwi\n")
    assert source_language(f"{path}@qz", "swa") == "xqz" == language("Toylandic").tag
    pairs = read_pairs([path], "tsv", "xqz", "eng", Limits())
    assert list(pairs) == [SentencePair(0, "qwa", "one"), SentencePair(1, "qwi", "two")]


def test_a_language_outside_the_table_needs_no_file(tmp_path: Path):
    path = tmp_path / "pairs.tsv"
    path.write_text("qaa_Latn\tEnglish\nqwa\tone\nqwi\ttwo\n")
    assert source_language(f"{path}@qaa_Latn", "swa") == "qaa_Latn"
    pairs = read_pairs([path], "tsv", "qaa_Latn", "eng", Limits())
    assert list(pairs) == [SentencePair(0, "qwa", "one"), SentencePair(1, "qwi", "two")]
