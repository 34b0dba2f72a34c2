"""Readers of English question answering sets: the source is a question, the target the text that answers it."""

import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from optical.data.bitext.readers.reading import Reading, json_rows
from optical.data.bitext.screen import Reject, SentencePair, screen
from optical.data.files.open import open_bytes
from optical.errors import DataError

MAX_DOCUMENT_BYTES = 1 << 28
"""Largest file that is one JSON document, which is parsed as a whole."""

QuestionAnswer = tuple[str, str]
PairsOf = Callable[[str | Path], Iterable[QuestionAnswer]]


def squad_questions(path: str | Path) -> Iterator[tuple[str, str, str]]:
    """Id, question and paragraph of every question of a file in SQuAD's JSON format.

    Raises:
        DataError: it is not in that format.
    """
    for article in document(path)["data"]:
        for paragraph in article["paragraphs"]:
            for item in paragraph["qas"]:
                yield item["id"], item["question"], paragraph["context"]


def document(path: str | Path) -> dict | list:
    """The value of a file that is one JSON document.

    Raises:
        DataError: it is not JSON, or too large to be parsed as a whole.
    """
    with open_bytes(path) as stream:
        content = stream.read(MAX_DOCUMENT_BYTES + 1)
    if len(content) > MAX_DOCUMENT_BYTES:
        raise DataError(path, f"one JSON document of over {MAX_DOCUMENT_BYTES} bytes", "write it as JSON lines")
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        advice = "fetch the file again; if each line is a JSON object, say so, jsonl:PATH"
        raise DataError(path, f"not JSON as a whole ({error})", advice) from None


def _squad(path: str | Path) -> Iterator[QuestionAnswer]:
    return ((question, context) for _, question, context in squad_questions(path))


def _selqa(path: str | Path) -> Iterator[QuestionAnswer]:
    """A pair for each candidate sentence that answers the question."""
    for item in document(path):
        for number in item["answers"]:
            yield item["question"], item["candidates"][number]


def _pubmedqa(path: str | Path) -> Iterator[QuestionAnswer]:
    for item in document(path).values():
        yield item["QUESTION"], " ".join(item["CONTEXTS"])


def _nq_oracle(path: str | Path) -> Iterator[QuestionAnswer]:
    """The first context is the gold passage."""
    for row, reason in json_rows(path, MAX_DOCUMENT_BYTES):
        if reason:
            raise DataError(path, f"a line is {reason}", "fetch the file again")
        yield row["question"], row["ctxs"][0]["text"]


def _read(reading: Reading, pairs_of: PairsOf) -> Iterator[SentencePair | Reject]:
    position = 0
    for path in reading.paths:
        try:
            for question, answer in pairs_of(path):
                yield screen(position, question, answer, reading.limits)
                position += 1
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise DataError(path, f"not in the expected format ({error!r})", "fetch the file again") from None


squad = partial(_read, pairs_of=_squad)
selqa = partial(_read, pairs_of=_selqa)
pubmedqa = partial(_read, pairs_of=_pubmedqa)
nq_oracle = partial(_read, pairs_of=_nq_oracle)
