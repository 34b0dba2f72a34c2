"""SelQA: English questions with the candidate sentences that answer them."""

from collections.abc import Iterator
from pathlib import Path

from optical.data.bitext.reading import Format, Pairs, Reading, document, questions


def read(reading: Reading) -> Pairs:
    """A pair for each candidate sentence that answers its question."""
    return questions(reading, _answers)


def _answers(path: str | Path) -> Iterator[tuple[str, str]]:
    for item in document(path):
        for number in item["answers"]:
            yield item["question"], item["candidates"][number]


FORMAT = Format(read)
