"""Ray Data stream from clean shards to token ids."""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optical.data.batches.token_shards import TOKENISED
from optical.data.bitext.stream import WORKING_CPUS, one_block_each, ordered_and_quiet
from optical.model.vocabulary.tokenizer import UNK, load_tokenizer
from optical.model.vocabulary.wordwise import WordwiseTokenizer

_PAIRS_AT_ONCE = 1 << 13


def tokenised_pairs(shards: Sequence[str], source_tokenizer: Path, target_tokenizer: Path) -> Iterator[pa.Table]:
    """Token ids of both sides of every pair in the parquet ``shards``, in order (``TOKENISED``).

    Args:
        shards: parquet files with ``dataset``, ``source`` and ``target``.
        source_tokenizer: folder of the student's tokenizer.
        target_tokenizer: folder of the teacher's tokenizer.
    """
    ordered_and_quiet()
    stream = one_block_each({"shard": shard} for shard in shards).map_batches(
        _tokenise,
        fn_kwargs={"source_tokenizer": source_tokenizer, "target_tokenizer": target_tokenizer},
        batch_size=None,
        batch_format="pyarrow",
        num_cpus=WORKING_CPUS,
    )
    yield from stream.iter_batches(batch_size=None, batch_format="pyarrow")


class UnknownTokens:
    """Counts the source tokens that are [UNK]: words with a letter that the vocabulary lacks."""

    def __init__(self, source_tokenizer: Path) -> None:
        self._id = load_tokenizer(source_tokenizer).token_to_id(UNK)
        self._unknown = self._tokens = 0

    def counted(self, tokenised: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """The tables as they come, each counted on its way."""
        for table in tokenised:
            ids = pc.list_flatten(table["source_ids"])
            self._tokens += len(ids)
            self._unknown += pc.sum(pc.equal(ids, self._id)).as_py() or 0
            yield table

    @property
    def share(self) -> float:
        """Unknown tokens among all that were counted."""
        return self._unknown / max(1, self._tokens)


def _tokenise(shards: pa.Table, source_tokenizer: Path, target_tokenizer: Path) -> Iterator[pa.Table]:
    """A whole shard in one task: reading is cheap, and a tokenizer is the faster the more words it has seen."""
    sides = {"source": _tokenizer(source_tokenizer), "target": _tokenizer(target_tokenizer)}
    for shard in shards["shard"].to_pylist():
        with pq.ParquetFile(shard) as file:
            for pairs in file.iter_batches(_PAIRS_AT_ONCE, columns=["dataset", *sides]):
                ids = [tokenizer.encode(pairs[side]) for side, tokenizer in sides.items()]
                yield pa.table([pairs["dataset"], *ids], schema=TOKENISED)


@lru_cache(maxsize=4)
def _tokenizer(folder: Path) -> WordwiseTokenizer:
    # Tasks share the cores out; threads of each one's tokenizer would stand in each other's way.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    return WordwiseTokenizer(load_tokenizer(folder))
