"""SQuAD's JSON: English questions with the paragraphs that answer them."""

from collections.abc import Iterator
from pathlib import Path

from optical.data.bitext.reading import Format, Pairs, Reading, document, questions


def read(reading: Reading) -> Pairs:
    """A pair of question and paragraph for each question."""
    return questions(reading, lambda path: ((question, context) for _, question, context in squad_questions(path)))


def squad_questions(path: str | Path) -> Iterator[tuple[str, str, str]]:
    """Id, question and paragraph of every question of a file.

    Raises:
        DataError: the file is not JSON.
        KeyError, TypeError, AttributeError: it has another structure.
    """
    for article in document(path)["data"]:
        for paragraph in article["paragraphs"]:
            for item in paragraph["qas"]:
                yield item["id"], item["question"], paragraph["context"]


FORMAT = Format(read, suffixes=(".json",))
