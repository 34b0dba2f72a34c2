"""PubMedQA: English questions with the abstracts that answer them."""

from collections.abc import Iterator
from pathlib import Path

from optical.data.bitext.reading import Format, Pairs, Reading, document, questions


def read(reading: Reading) -> Pairs:
    """A pair of question and abstract for each article."""
    return questions(reading, _abstracts)


def _abstracts(path: str | Path) -> Iterator[tuple[str, str]]:
    for item in document(path).values():
        yield item["QUESTION"], " ".join(item["CONTEXTS"])


FORMAT = Format(read)
