"""Reading, cleaning and comparing pairs in the process of the test, without Ray."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from optical.data.bitext import stream
from optical.data.bitext.screen import Limits
from optical.data.bitext.stream import BitextSource
from optical.data.cleaning import duplicates
from optical.data.cleaning.predicates import Cleaning


def stream_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``checked_pairs`` do its work in this process, in blocks of a few pairs."""

    def keyed(sources: tuple[BitextSource, ...], limits: Limits, cleaning: Cleaning) -> Iterator[pa.Table]:
        for number in range(len(sources)):
            for block in stream._read(pa.table({"number": [number]}), sources, limits, pairs_per_block=7):
                yield from stream._clean(block, sources, cleaning)

    class Compare:
        remote = staticmethod(duplicates._compare._function)

    monkeypatch.setattr(stream, "ordered_and_quiet", lambda: None)
    monkeypatch.setattr(stream, "_keyed", keyed)
    monkeypatch.setattr(duplicates, "_compare", Compare)
    monkeypatch.setattr(duplicates.ray, "get", lambda value: value)
    monkeypatch.setattr(duplicates.ray, "wait", lambda values, **_: (values, []))
    monkeypatch.setattr(duplicates, "_partitions", lambda: 3)
