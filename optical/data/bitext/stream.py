"""Ray Data stream from bitext to checked pairs. Every Ray dataset preserves the order of its blocks."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import ray.data

from optical.data.bitext.readers import read_pairs
from optical.data.bitext.screen import Limits, Reject, SentencePair
from optical.data.bitext.shards import CHECKED, first_accepted
from optical.data.cleaning.duplicates import Seen, mark_duplicates, unkeyed
from optical.data.cleaning.predicates import Cleaning, clean
from optical.data.fetch.resolve import Resolved

TASK_CPUS = 0.25
# Whole CPUs: on few cores more processes are no faster, and each takes seconds to start.
WORKING_CPUS = 1
_BLOCK_BYTES = 8 << 20
_PAIRS_PER_BLOCK = 1 << 14
_BLOCKS: dict[str, Any] = {"batch_size": None, "batch_format": "pyarrow"}
_NUMBER = "source_number"
_CLEANING = Cleaning()


@dataclass(frozen=True)
class BitextSource:
    """Verified files of one bitext data set, and its two languages."""

    files: Resolved
    source: str
    target: str


def ordered_and_quiet() -> None:
    """Ordered execution in small blocks, without Ray Data's own progress bars, in the calling process."""
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.target_max_block_size = _BLOCK_BYTES


def one_block_each(rows: Iterable[dict]) -> ray.data.Dataset:
    """A dataset with one row in each block, so that each row is the work of one task.

    ``from_arrow`` would start a task of a whole CPU, and a cluster whose trainers hold every CPU has none.
    """
    return ray.data.from_blocks([pa.Table.from_pylist([row]) for row in rows])


def checked_pairs(
    sources: Sequence[BitextSource], limits: Limits, cleaning: Cleaning = _CLEANING, max_pairs: int | None = None
) -> Iterator[pa.Table]:
    """Every physical pair of the sources, in order, accepted or with the reason of its rejection (``CHECKED``).

    One task reads each source, since most formats can only be read from their beginning; others clean its blocks
    meanwhile. Duplicates are found over all sources. With ``max_pairs``, sources are read one after the other, each as
    far as its last accepted pair; pairs behind that one make no other a duplicate.
    """
    ordered_and_quiet()
    keep = cleaning.config.duplicates == "keep"
    if max_pairs is None:
        keyed = _keyed(tuple(sources), limits, cleaning)
        yield from unkeyed(keyed if keep else mark_duplicates(keyed))
        return
    seen = Seen()
    for source in sources:
        keyed = _keyed((source,), limits, cleaning)
        for table in first_accepted(keyed if keep else mark_duplicates(keyed, seen.copy()), max_pairs):
            if not keep:
                seen.add(table)
            yield from unkeyed([table])


def _keyed(sources: tuple[BitextSource, ...], limits: Limits, cleaning: Cleaning) -> Iterable[pa.Table]:
    read: Any = _read  # Ray's types know no keyword arguments of a function
    clean_block: Any = _clean
    return (
        one_block_each({"number": number} for number in range(len(sources)))
        .map_batches(read, fn_kwargs={"sources": sources, "limits": limits}, num_cpus=TASK_CPUS, **_BLOCKS)
        .map_batches(
            clean_block, fn_kwargs={"sources": sources, "cleaning": cleaning}, num_cpus=WORKING_CPUS, **_BLOCKS
        )
        .iter_batches(batch_size=None, batch_format="pyarrow")
    )


def _read(
    numbers: pa.Table, sources: Sequence[BitextSource], limits: Limits, pairs_per_block: int = _PAIRS_PER_BLOCK
) -> Iterator[pa.Table]:
    for number in numbers["number"].to_pylist():
        source = sources[number]
        pairs = read_pairs(source.files.paths, source.files.reader, source.source, source.target, limits)
        while block := list(islice(pairs, pairs_per_block)):
            yield _block(number, source.files.name, block)


def _block(number: int, dataset: str, pairs: list[SentencePair | Reject]) -> pa.Table:
    names = [name for name in CHECKED.names if name not in ("dataset", "detail")]
    columns = {name: [getattr(pair, name) for pair in pairs] for name in names}
    columns |= {"dataset": pa.repeat(dataset, len(pairs)), "detail": pa.nulls(len(pairs))}
    return pa.table(columns, schema=CHECKED).append_column(
        _NUMBER, pa.repeat(pa.scalar(number, pa.int32()), len(pairs))
    )


def _clean(block: pa.Table, sources: Sequence[BitextSource], cleaning: Cleaning) -> Iterator[pa.Table]:
    """Clean a block source by source: Ray Data may have joined the blocks of neighbours."""
    for number in pc.unique(block[_NUMBER]).to_pylist():
        own = block.filter(pc.field(_NUMBER) == number).drop_columns(_NUMBER)
        yield clean(own, sources[number].source, sources[number].target, cleaning)
