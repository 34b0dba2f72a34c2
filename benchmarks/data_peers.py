"""The stages of ``benchmarks.data`` without Ray: a plain loop in one process, and Hugging Face ``datasets``.

``python -m benchmarks.data_peers CONTESTANT STAGE FOLDER`` runs one and prints its seconds: a process of its own,
because ``datasets`` forks, and a process that has joined Ray must not.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optical.data.batches.token_shards import TOKENISED
from optical.data.batches.tokenise import Side, frames_of, write_tokens
from optical.data.bitext.config import BitextConfig
from optical.data.bitext.readers import read_pairs
from optical.data.bitext.screen import Limits, Reject, SentencePair, screen
from optical.data.bitext.shards import CHECKED, pair_shards, write_bitext
from optical.data.cleaning.duplicates import first_seen
from optical.data.cleaning.predicates import EXACT, NEAR, Cleaning, clean
from optical.model.text.frame import Frame
from optical.model.text.padding import pad
from optical.model.text.reader import load_reader
from optical.train.config import TrainConfig

SOURCE, TARGET = "swa", "eng"
MADE_FROM = "0" * 64
DEV_PAIRS = 256
TRAIN = TrainConfig(source_length=40, target_length=40)
_PAIRS_PER_BLOCK = 1 << 14
_SIDES = ("source", "target")


def config(folder: Path) -> BitextConfig:
    """The bitext of every contestant: the corpus in ``folder``."""
    return BitextConfig(datasets=("pairs",), source=SOURCE, target=TARGET)


def corpus(folder: Path) -> Path:
    """The corpus of a working folder."""
    return folder / "pairs.tsv"


def plain_clean(folder: Path, out: Path) -> None:
    """Read, screen and clean pair by pair and block by block, find duplicates in one set, write the same shards."""
    bitext = config(folder)
    pairs = read_pairs([corpus(folder)], "tsv", SOURCE, TARGET, Limits.of(bitext))
    write_bitext(out, MADE_FROM, _plain_checked(pairs), bitext, {})


def _plain_checked(pairs: Iterator[SentencePair | Reject]) -> Iterator[pa.Table]:
    seen = np.empty(0, np.uint64)
    while block := list(islice(pairs, _PAIRS_PER_BLOCK)):
        checked = clean(_block(block), SOURCE, TARGET, Cleaning())
        good = np.flatnonzero(pc.is_null(checked["reason"]))
        seen, new = first_seen(seen, checked[NEAR].to_numpy()[good])
        reasons = checked["reason"].to_numpy().copy()
        reasons[good[~new]] = "near_duplicate"
        place = checked.schema.get_field_index("reason")
        yield checked.set_column(place, "reason", pa.array(reasons, pa.string())).drop_columns([EXACT, NEAR])


def _block(pairs: list[SentencePair | Reject]) -> pa.Table:
    names = ("position", "source", "target", "reason", "repairs")
    columns = {name: [getattr(pair, name) for pair in pairs] for name in names}
    return pa.table(
        columns | {"dataset": pa.repeat("pairs", len(pairs)), "detail": pa.nulls(len(pairs))}, schema=CHECKED
    )


def plain_tokenise(folder: Path, out: Path) -> None:
    """Tokenise shard by shard, with the tokenizer's own threads, and write the same token shards."""
    shards = pair_shards(folder / "bitext")
    rows = sum(pq.read_metadata(shard).num_rows for shard in shards)
    tokenised = map(_tokenised, map(pq.read_table, shards), [folder] * len(shards))
    side = Side(folder / "tokenizer")
    write_tokens(out, MADE_FROM, tokenised, frames_of(side, side), rows, DEV_PAIRS)


def _tokenised(pairs: pa.Table, folder: Path) -> pa.Table:
    ids = _ids(pairs.select(list(_SIDES)).to_pydict(), folder)
    return pa.table([pairs["dataset"], *ids.values(), ids["target_ids"]], schema=TOKENISED)


def _ids(pairs: dict[str, list], folder: Path) -> dict[str, list[list[int]]]:
    tokenizer = _tokenizer(folder)
    return {f"{side}_ids": [found.ids for found in tokenizer.encode_batch_fast(pairs[side])] for side in _SIDES}


@lru_cache(maxsize=1)
def _tokenizer(folder: Path) -> object:
    return load_reader(folder / "tokenizer").tokenizer


@lru_cache(maxsize=1)
def _frame(folder: Path) -> Frame:
    return Side(folder / "tokenizer").reader().frames["query"]


def plain_batches(folder: Path, out: Path) -> None:
    """All pairs in memory, shuffled, batched as they come and padded; no batches of one length."""
    shards = sorted((folder / "tokens").glob("train-*.parquet"))
    pairs = pa.concat_tables(map(pq.read_table, shards)).combine_chunks()
    order = np.random.default_rng(0).permutation(len(pairs))
    for start in range(0, len(pairs), TRAIN.batch_pairs):
        _pad(pairs.take(pa.array(order[start : start + TRAIN.batch_pairs])), folder)


def _pad(pairs: pa.Table, folder: Path) -> None:
    frame = _frame(folder)
    for side, length in (("source_ids", TRAIN.source_length), ("target_ids", TRAIN.target_length)):
        pad(frame.cut(pairs[side].combine_chunks(), length), frame)


def datasets_clean(folder: Path, out: Path) -> None:
    """Read, filter by the same rules on all cores, write parquet. It has no search for duplicates, so none is made."""
    from datasets import Dataset

    reading = {"sep": "\t", "names": list(_SIDES), "quoting": 3, "keep_default_na": False}
    pairs = Dataset.from_csv(str(corpus(folder)), cache_dir=str(out), **reading)
    limits = Limits.of(config(folder))
    keep = {"function": _kept, "fn_kwargs": {"limits": limits}, "input_columns": list(_SIDES)}
    pairs.filter(**keep, batched=True, batch_size=_PAIRS_PER_BLOCK, num_proc=os.cpu_count()).to_parquet(
        out / "pairs.parquet"
    )


def _kept(sources: list[str], targets: list[str], limits: Limits) -> list[bool]:
    pairs = [screen(row, *sides, limits) for row, sides in enumerate(zip(sources, targets, strict=True))]
    return pc.is_null(clean(_block(pairs), SOURCE, TARGET, Cleaning())["reason"]).to_pylist()


def datasets_tokenise(folder: Path, out: Path) -> None:
    """Map the same tokenizer over the clean shards on all cores, into its own files."""
    from datasets import Dataset

    # Processes share the cores out; threads of the tokenizer besides would only stand in their way.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    pairs = Dataset.from_parquet(pair_shards(folder / "bitext"), cache_dir=str(out))
    pairs.map(
        _ids,
        fn_kwargs={"folder": folder},
        batched=True,
        batch_size=2048,
        num_proc=os.cpu_count(),
        remove_columns=[*_SIDES, "position"],
    )


def datasets_batches(folder: Path, out: Path) -> None:
    """Shuffled, batched as they come and padded, in Arrow format; no batches of one length."""
    from datasets import Dataset

    shards = [str(shard) for shard in sorted((folder / "tokens").glob("train-*.parquet"))]
    pairs = Dataset.from_parquet(shards, cache_dir=str(out)).with_format("arrow").shuffle(seed=0)
    for batch in pairs.iter(TRAIN.batch_pairs):
        _pad(batch, folder)


PEERS: dict[str, dict[str, Callable[[Path, Path], None]]] = {
    "plain loop": {"clean": plain_clean, "tokenise": plain_tokenise, "batches": plain_batches},
    "datasets": {"clean": datasets_clean, "tokenise": datasets_tokenise, "batches": datasets_batches},
}


def main(contestant: str, stage: str, folder: Path) -> None:
    """Run one contestant on one stage; imports are outside the clock."""
    if contestant == "datasets":
        import datasets

        datasets.disable_progress_bars()
    out = folder / "peer"
    shutil.rmtree(out, ignore_errors=True)
    started = time.perf_counter()
    PEERS[contestant][stage](folder, out)
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
