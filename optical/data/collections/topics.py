"""Topics of a user's files: TSV, JSON Lines (BEIR, NeuCLIR), and TREC's ``<top>`` blocks."""

import html
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache, partial
from pathlib import Path

from optical.data.collections.passages import once
from optical.data.collections.records import Topic, content, identifier, placed_objects
from optical.data.collections.rows import JSON_LINES, Row, by_names, pick, rows
from optical.data.files.inflate import format_suffix
from optical.data.files.open import open_bytes
from optical.data.registry.languages import canonical, known
from optical.errors import DataError

ENGLISH = "eng"
_NAMES = {
    "id": ("qid", "query_id", "query-id", "topic_id", "topic-id", "_id", "id"),
    "text": ("query", "question", "text", "title"),
    "english": ("english", "translation", "english_translation", "question_translated"),
    "language": ("lang", "language"),
}
_TOPIC = re.compile(r"<(top|topic)(\s[^>]*)?>(.*?)</\1\s*>", re.DOTALL | re.IGNORECASE)
_BEGINNING = re.compile(r"<top(ic)?[\s>]", re.IGNORECASE)
_NUMBER_ATTRIBUTE = re.compile(r"""\b(?:number|id)\s*=\s*["']([^"']*)["']""", re.IGNORECASE)
_LANGUAGE_ATTRIBUTE = re.compile(r"""\blang\s*=\s*["']([^"']*)["']""", re.IGNORECASE)
_LABEL = re.compile(r"^(number|topic)\s*:", re.IGNORECASE)
_COMMENT = re.compile("<!--.*?-->", re.DOTALL)
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_TAG = r"</?(?:num|number|identifier|title|query|question|desc|description|narr|narrative)\b[^<>]*>"
_EMPHASIS = re.compile(r"</?(?:i|b|em|strong|u|sub|sup|span|br|p)(?:\s[^<>]*)?/?>", re.IGNORECASE)
_MAX_TREC_BYTES = 1 << 26


def read_topics(path: Path, language: str | None = None) -> tuple[tuple[Topic, ...], tuple[str, ...]]:
    """The topics of a file, and remarks on those that are left out.

    Args:
        path: ``.tsv``, ``.jsonl``, or TREC blocks in a file of any other name; each may be compressed.
        language: query language, where a file has several.

    Raises:
        DataError: a damaged line or topic, a qid that occurs twice, or a language that is not clear.
    """
    found, remarks = _in_language(path, list(_rows(path, language)), language)
    return gather_topics(found), remarks


def gather_topics(found: Iterable[Row]) -> tuple[Topic, ...]:
    """Topics of rows with ``id``, ``text`` and perhaps ``english``.

    Raises:
        DataError: a value that is no id or text, an empty query, or a qid that occurs twice.
    """
    seen: dict[str, str] = {}
    topics = []
    for where, row in found:
        qid = once(seen, where, "qid", identifier(where, row["id"]))
        query = content(where, "query", row["text"])
        if not query:
            raise DataError(where, f"the query of topic {qid!r} is empty", "write it, or leave the topic out")
        english = "" if row.get("english") is None else content(where, "english", row["english"])
        topics.append(Topic(qid, query, english))
    return tuple(topics)


def _in_language(path: Path, found: list[Row], language: str | None) -> tuple[list[Row], tuple[str, ...]]:
    """The rows in the language asked for, or in the only one, where rows carry theirs; the others are counted."""
    codes = [canonical(content(where, "language", row.get("language") or "")) for where, row in found]
    counts = Counter(codes)
    if not any(counts):
        return found, ()
    chosen = canonical(language) if language else codes[0]
    if chosen not in counts or (language is None and len(counts) > 1):
        raise _unclear(path, counts, language)
    kept = [row for row, code in zip(found, codes, strict=True) if code == chosen]
    others = ", ".join(sorted(code or "no language" for code in counts if code != chosen))
    return kept, ((f"{len(found) - len(kept):,} topics in {others} are left out",) if others else ())


def _unclear(where: str | Path, codes: Iterable[str], language: str | None) -> DataError:
    named = ", ".join(sorted(code or "no language" for code in codes)) or "no language"
    what = f"queries in {named}" + (f", not in {language}" if language else "")
    return DataError(where, what, "name one of them after the folder, as in FOLDER@swa")


def _rows(path: Path, language: str | None) -> Iterator[Row]:
    find = partial(_find, language=language)
    if format_suffix(path.name) in JSON_LINES:
        for where, row in placed_objects(path):
            yield where, _translations(where, row, language) if "topics" in row else pick(where, row, find)
    elif format_suffix(path.name) != ".tsv" and _begins_with_tag(path):
        yield from _trec(path)
    else:
        yield from rows(path, find, ("id", "text", "english"))


@lru_cache(maxsize=256)
def _find(names: tuple[str, ...], language: str | None) -> dict[str, int]:
    """Roles by their names; a column named by its language is the query, before one that a bare word calls so."""
    found = by_names(names, _NAMES)
    if "id" not in found:
        return found
    named = {entry.code: place for place, name in enumerate(names) if place != found["id"] and (entry := known(name))}
    if "text" in found:
        for code in {code for code in named if names[named[code]] in _NAMES["id"]}:
            del named[code]  # "id" is Indonesian too
        if not named.keys() - {ENGLISH}:
            return found
        del found["text"]
    chosen = _query_language(named, language)
    if chosen:
        found["text"] = named[chosen]
        if chosen != ENGLISH and ENGLISH in named:
            found["english"] = named[ENGLISH]
    return found


def _query_language(offered: Collection[str], language: str | None) -> str | None:
    """The language asked for, else the only one besides English, else English; None where it is not clear."""
    wanted = [canonical(language)] if language else [code for code in offered if code != ENGLISH] or [ENGLISH]
    found = [code for code in wanted if code in offered]
    return found[0] if len(found) == 1 else None


def _translations(where: str, row: dict, language: str | None) -> dict[str, object]:
    """A topic in NeuCLIR's format: the title in the query language and in English, people's words before machines'."""
    titles: dict[str, str] = {}
    try:
        for entry in sorted(row["topics"], key=lambda entry: entry["source"] not in ("original", "human translation")):
            titles.setdefault(canonical(entry["lang"]), content(where, "topic_title", entry["topic_title"]))
        qid = row["topic_id"]
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            where, f"not a NeuCLIR topic ({error!r})", "give it topic_id and topics with lang, source and topic_title"
        ) from None
    chosen = _query_language(titles, language)
    if chosen is None:
        raise _unclear(where, titles, language)
    return {"id": qid, "text": titles[chosen], "english": "" if chosen == ENGLISH else titles.get(ENGLISH)}


def _begins_with_tag(path: Path) -> bool:
    with open_bytes(path) as stream:
        return stream.read(4096).decode("utf-8-sig", "replace").lstrip().startswith("<")


def _trec(path: Path) -> Iterator[Row]:
    with open_bytes(path) as stream:
        document = stream.read(_MAX_TREC_BYTES)
    try:
        text = document.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(path, f"not UTF-8 ({error.reason})", "convert the file") from None
    text = _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), text)
    text = _CDATA.sub(lambda section: html.escape(section[1]), text)
    found = list(_TOPIC.finditer(text))
    if len(found) != len(_BEGINNING.findall(text)) or not found:
        what = f"{len(found)} whole topics <top>...</top>"
        raise DataError(path, f"{what} where {len(_BEGINNING.findall(text))} begin", "close each with </top>")
    for match in found:
        where = f"{path}, line {text.count(chr(10), 0, match.start()) + 1}"
        number = _NUMBER_ATTRIBUTE.search(match[2] or "")
        qid = number[1] if number else _field(where, match[3], "num|number|identifier")
        language = _LANGUAGE_ATTRIBUTE.search(match[2] or "")
        labelled = {"language": language[1]} if language else {}
        yield where, {"id": qid, "text": _field(where, match[3], "title|query")} | labelled


def _field(where: str, topic: str, names: str) -> str:
    """The text after a tag, up to its end tag, else up to the next field or the next tag that begins a line."""
    whole = rf"<({names})\s*>((?:(?!{_TAG}).)*)</\1\s*>"
    rest = rf"<({names})\s*>(.*?)(?={_TAG}|\n\s*</?[a-z]|\Z)"
    match = re.search(f"{whole}|{rest}", topic, re.IGNORECASE | re.DOTALL)
    if not match:
        raise DataError(where, f"the topic has no <{names.partition('|')[0]}>", "give each topic its <num> and <title>")
    text = match[2] if match[2] is not None else match[4]
    return _LABEL.sub("", html.unescape(_EMPHASIS.sub("", text)).strip()).strip()
