"""Readers of public question answering collections: each from its own files to passages, topics and qrels."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from optical.data.bitext.readers.squad import squad_questions
from optical.data.bitext.reading import document
from optical.data.bitext.screen import normalise
from optical.data.collections.records import Collection, Qrel, Topic, counterpart, json_objects, passages_of, titled
from optical.data.registry.languages import canonical
from optical.errors import DataError


def afriqa(paths: Sequence[Path], source: str) -> Collection:
    """AfriQA gold passages of every given file; topics and qrels from the source language's test file alone.

    A language that has no test file here is tested on its dev file. Rows without a context have no gold passage and
    are left out, and counted in the remarks.
    """
    texts: dict[str, str] = {}
    topics, qrels = [], []
    without, unasked = 0, 0
    split = "test" if any(f".{source}." in path.name and ".test." in path.name for path in paths) else "dev"
    for path in paths:
        for row in json_objects(path, ("id", "context", "question_lang", "question_translated")):
            tested = f".{source}." in path.name and f".{split}." in path.name
            if not row["context"]:
                without, unasked = without + 1, unasked + tested
                continue
            text = normalise(titled(row.get("title") or "", row["context"]))
            docid = texts.setdefault(text, f"afriqa-{hashlib.sha256(text.encode()).hexdigest()[:12]}")
            if tested:
                qid = f"{source}-{row['id']}"
                topics.append(Topic(qid, normalise(row["question_lang"]), normalise(row["question_translated"])))
                qrels.append(Qrel(qid, docid, 1))
    what = f"{without:,} rows without a gold passage are left out, {unasked:,} of them questions of this collection"
    return Collection(passages_of(texts), tuple(topics), tuple(qrels), remarks=(what,) if without else ())


def xquad(paths: Sequence[Path], _source: str) -> Collection:
    """XQuAD: questions of the first file over the paragraphs of the second, the English one, joined by question id."""
    foreign_path, english_path = paths
    foreign = {qid: (normalise(question), normalise(context)) for qid, question, context in _squad(foreign_path)}
    docids: dict[str, str] = {}
    topics, qrels = [], []
    for qid, english, context in _squad(english_path):
        docid = docids.setdefault(normalise(context), f"xquad-{len(docids):03d}")
        topics.append(Topic(qid, counterpart(foreign, qid, foreign_path, english_path)[0], normalise(english)))
        qrels.append(Qrel(qid, docid, 1))
    other_texts = dict.fromkeys(context for _, context in foreign.values())
    return Collection(passages_of(docids), tuple(topics), tuple(qrels), tuple(other_texts))


def lareqa(paths: Sequence[Path], _source: str) -> Collection:
    """LAReQA: questions of the first file over the sentences of the second, the English one.

    The sentence that holds the answer's first character is relevant. The English part of the pooled task.
    """
    foreign_path, english_path = paths
    questions: dict[str, str] = {}
    other_texts: dict[str, None] = {}
    for qid, question, paragraph, _ in _answered(foreign_path):
        questions[qid] = normalise(question)
        other_texts |= dict.fromkeys(map(normalise, paragraph["sentences"]))
    docids: dict[str, str] = {}
    topics, qrels = [], []
    for qid, english, paragraph, start in _answered(english_path):
        sentences = [normalise(sentence) for sentence in paragraph["sentences"]]
        for sentence in sentences:
            docids.setdefault(sentence, f"lareqa-{len(docids):04d}")
        number = next(place for place, (_, end) in enumerate(paragraph["sentence_breaks"]) if start <= end)
        topics.append(Topic(qid, counterpart(questions, qid, foreign_path, english_path), normalise(english)))
        qrels.append(Qrel(qid, docids[sentences[number]], 1))
    return Collection(passages_of(docids), tuple(topics), tuple(qrels), tuple(other_texts))


def belebele(paths: Sequence[Path], _source: str) -> Collection:
    """Belebele: questions of the first file over the passages of the second, joined by link and question number."""
    foreign_path, english_path = paths
    keys = ("link", "question_number", "flores_passage", "question")
    foreign = {(row["link"], row["question_number"]): row for row in json_objects(foreign_path, keys)}
    docids: dict[str, str] = {}
    topics, qrels = [], []
    for number, row in enumerate(json_objects(english_path, keys)):
        qid = f"belebele-{number:03d}"
        docid = docids.setdefault(normalise(row["flores_passage"]), f"belebele-p{len(docids):03d}")
        other = counterpart(foreign, (row["link"], row["question_number"]), foreign_path, english_path)
        topics.append(Topic(qid, normalise(other["question"]), normalise(row["question"])))
        qrels.append(Qrel(qid, docid, 1))
    other_texts = dict.fromkeys(normalise(row["flores_passage"]) for row in foreign.values())
    return Collection(passages_of(docids), tuple(topics), tuple(qrels), tuple(other_texts))


def xor_tydi(paths: Sequence[Path], source: str) -> Collection:
    """XOR-TyDi questions of one language; passages and judgements are not part of the file."""
    rows = (row for path in paths for row in json_objects(path, ("id", "question", "lang")))
    topics = (Topic(row["id"], normalise(row["question"]), "") for row in rows if canonical(row["lang"]) == source)
    return Collection((), tuple(topics), ())


def _squad(path: Path) -> Iterator[tuple[str, str, str]]:
    with _in_format(path):
        yield from squad_questions(path)


def _answered(path: Path) -> Iterator[tuple[str, str, dict, int]]:
    """Id, question, paragraph and the answer's first character of every question of an XQuAD-R file."""
    with _in_format(path):
        for article in document(path)["data"]:
            for paragraph in article["paragraphs"]:
                for item in paragraph["qas"]:
                    yield item["id"], item["question"], paragraph, item["answers"][0]["answer_start"]


@contextmanager
def _in_format(path: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise DataError(path, f"not SQuAD JSON ({error!r})", "fetch the file again") from None
