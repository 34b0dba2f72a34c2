"""Ray Data stream from clean shards to token ids."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import ray
from tokenizers import Tokenizer

from optical.data.stream import TASK_CPUS, ordered_and_quiet
from optical.data.token_shards import TOKENISED
from optical.data.tokenizer import load_tokenizer

_PAIRS_PER_TASK = 2048


def tokenised_pairs(shards: Sequence[str], source_tokenizer: Path, target_tokenizer: Path) -> Iterator[pa.Table]:
    """Token ids of both sides of every pair in the parquet ``shards``, in order (``TOKENISED``).

    Args:
        shards: parquet files with ``dataset``, ``source`` and ``target``.
        source_tokenizer: folder of the student's tokenizer.
        target_tokenizer: folder of the teacher's tokenizer.
    """
    ordered_and_quiet()
    stream = ray.data.read_parquet(list(shards), columns=["dataset", "source", "target"]).map_batches(
        _tokenise,
        fn_kwargs={"source_tokenizer": source_tokenizer, "target_tokenizer": target_tokenizer},
        batch_size=_PAIRS_PER_TASK,
        batch_format="pyarrow",
        num_cpus=TASK_CPUS,
    )
    yield from stream.iter_batches(batch_size=None, batch_format="pyarrow")


def _tokenise(pairs: pa.Table, source_tokenizer: Path, target_tokenizer: Path) -> pa.Table:
    ids = [
        [encoding.ids for encoding in _tokenizer(folder).encode_batch_fast(pairs[side].to_pylist())]
        for side, folder in (("source", source_tokenizer), ("target", target_tokenizer))
    ]
    return pa.table([pairs["dataset"], *ids], schema=TOKENISED)


@lru_cache(maxsize=4)
def _tokenizer(folder: Path) -> Tokenizer:
    return load_tokenizer(folder)
