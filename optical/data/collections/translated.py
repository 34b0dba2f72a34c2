"""Readers of public collections made of translated sentences and options: Tatoeba, NTREX, MMLU."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, zip_longest
from pathlib import Path

from optical.data.bitext.screen import normalise
from optical.data.collections.records import MAX_LINE_BYTES, Collection, Passage, Qrel, Topic, counterpart, json_objects
from optical.data.files.open import open_bytes, text_lines
from optical.errors import DataError

_CHUNK_SENTENCES = 3
_LETTERS = "ABCD"
_MAX_TABLE_BYTES = 1 << 26


def sentences(paths: Sequence[Path], _source: str) -> Collection:
    """Sentence retrieval: each line of the first file asks for the same line of the second, the English one."""
    passages, topics, qrels = [], [], []
    for number, (query, english) in enumerate(_aligned(*paths)):
        passages.append(Passage(f"s{number:04d}", english))
        topics.append(Topic(f"q{number:04d}", query, english))
        qrels.append(Qrel(f"q{number:04d}", f"s{number:04d}", 1))
    return Collection(tuple(passages), tuple(topics), tuple(qrels))


def ntrex(paths: Sequence[Path], _source: str) -> Collection:
    """NTREX headlines: the first line of an article asks for the English rest of it, in passages of three sentences."""
    passages, topics, qrels, other_texts = [], [], [], []
    lines = zip(_aligned(*paths[:2]), _aligned(paths[2], paths[1]), strict=True)
    articles = ((article, (query, english)) for (query, english), (article, _) in lines)
    for number, (_, group) in enumerate(groupby(articles, key=lambda line: line[0])):
        (query, headline), *body = [pair for _, pair in group]
        topics.append(Topic(f"ntrex-{number:03d}", query, headline))
        other_texts += [text for pair in body for text in pair]
        english = [text for _, text in body]
        for start in range(0, len(english), _CHUNK_SENTENCES):
            docid = f"ntrex-{number:03d}-{start // _CHUNK_SENTENCES:02d}"
            passages.append(Passage(docid, " ".join(english[start : start + _CHUNK_SENTENCES])))
            qrels.append(Qrel(f"ntrex-{number:03d}", docid, 1))
    return Collection(tuple(passages), tuple(topics), tuple(qrels), tuple(other_texts))


def global_mmlu(paths: Sequence[Path], _source: str) -> Collection:
    """Global-MMLU: questions of the first file over the options of the second, the English one, joined by sample id."""
    foreign, english = ({qid: choice for qid, choice in _choices(path)} for path in paths)
    rows = [(qid, counterpart(foreign, qid, *paths), choice) for qid, choice in english.items()]
    return _multiple_choice(rows)


def mmlu(paths: Sequence[Path], _source: str) -> Collection:
    """MMLU subjects as CSV without a header: the first half of the files is translated, the second half English."""
    middle = len(paths) // 2
    rows = []
    for foreign_path, english_path in zip(paths[:middle], paths[middle:], strict=True):
        subject = english_path.name.partition("_test")[0]
        for number, (foreign, english) in enumerate(zip_longest(_csv(foreign_path), _csv(english_path))):
            if foreign is None or english is None or foreign[-1].strip() != english[-1].strip():
                what = f"row {number + 1} is not the same question as in {english_path.name}"
                raise DataError(foreign_path, what, "fetch both files again")
            rows.append((f"{subject}-{number:03d}", tuple(foreign), tuple(english)))
    return _multiple_choice(rows)


def _aligned(first: Path, second: Path) -> Iterator[tuple[str, str]]:
    """The lines of two files of one length, normalised."""
    pair = (text_lines(path, MAX_LINE_BYTES) for path in (first, second))
    for left, right in zip_longest(*pair):
        if left is None or right is None:
            raise DataError(f"{first}+{second}", "one file has more lines than the other", "fetch both again")
        yield normalise(left[1]), normalise(right[1])


def _choices(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Sample id, and question, four options and the letter of the right one."""
    for row in json_objects(path, ("metadata", "prompts", "label")):
        (prompt,) = row["prompts"]
        options = (prompt[f"option_{letter.lower()}"] for letter in _LETTERS)
        yield row["metadata"]["sample_id"], (prompt["question"], *options, row["label"])


def _csv(path: Path) -> Iterator[list[str]]:
    with open_bytes(path) as stream:
        content = stream.read(_MAX_TABLE_BYTES).decode("utf-8-sig")
    for number, row in enumerate(csv.reader(io.StringIO(content, newline="")), start=1):
        if len(row) != len(_LETTERS) + 2:
            raise DataError(f"{path}, row {number}", f"{len(row)} columns, not 6", "fetch the file again")
        yield row


def _multiple_choice(rows: Iterable[tuple[str, Sequence[str], Sequence[str]]]) -> Collection:
    """Questions that ask for the right English option, among the options of all questions.

    A question that has no translation is no topic; its options remain passages.

    Args:
        rows: id, and the translated and the English question with options and the right option's letter.
    """
    passages, topics, qrels, other_texts = [], [], [], []
    for qid, foreign, (question, *options, right) in rows:
        other_texts += [normalise(option) for option in foreign[1:-1]]
        passages += [
            Passage(f"{qid}-{letter}", normalise(text)) for letter, text in zip(_LETTERS, options, strict=True)
        ]
        if foreign[0]:
            topics.append(Topic(qid, normalise(foreign[0]), normalise(question)))
            qrels.append(Qrel(qid, f"{qid}-{right.strip()}", 1))
    return Collection(tuple(passages), tuple(topics), tuple(qrels), tuple(other_texts))
