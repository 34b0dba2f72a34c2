"""From bitext to batches, stage by stage: ``python -m benchmarks.data``, under three minutes on two cores.

A corpus of generated sentences goes through the stages of ``prepare`` and ``train``: *clean* (read, screen, clean,
find duplicates, write shards), *tokenise* (both sides, token shards) and *batches* (one epoch, gathered, padded).
Contestants take turns, round by round, with the same files, rules and tokenizer; rows/s are of medians. Memory is the
largest proportional set size of our driver, Ray's daemons, workers and object store together.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import ray

from benchmarks.data_peers import DEV_PAIRS, MADE_FROM, PEERS, SOURCE, TARGET, TRAIN, config, corpus
from benchmarks.memory import PeakMemory
from benchmarks.running import heading, in_rounds, table, version_of
from benchmarks.synthetic import write_corpus
from optical import artefacts
from optical.cluster import connect
from optical.data.batches.feed import rank_batches
from optical.data.batches.schedule import Schedule
from optical.data.batches.token_shards import open_tokens
from optical.data.batches.tokenise import Side, frames_of, tokenised_pairs, write_tokens
from optical.data.bitext.config import CleaningConfig
from optical.data.bitext.screen import Limits
from optical.data.bitext.shards import BITEXT, pair_shards, write_bitext
from optical.data.bitext.stream import BitextSource, checked_pairs
from optical.data.cleaning.predicates import Cleaning
from optical.data.fetch.resolve import Resolved
from optical.model.storage import save_reader
from optical.model.text.reader import TextReader
from optical.model.text.special import BERT
from optical.model.vocabulary.tokenizer import learn_wordpiece
from optical.resources import Resources

OURS = "optical"
_VOCABULARY = 8000
_LEARNED_FROM = 10_000
_MOST_FOR_PEERS = 500_000
_PEER_SECONDS = 900


@dataclass(frozen=True)
class Row:
    """One contestant at one stage: the median over rounds; ``peak_bytes`` is known of ours alone."""

    stage: str
    contestant: str
    pairs: int
    seconds: float
    pairs_per_second: float
    peak_bytes: int | None = None


@dataclass(frozen=True)
class Taken:
    """What one stage took, once."""

    seconds: float
    peak_bytes: int | None = None


def main(arguments: list[str]) -> None:
    """Make the corpus, run every stage, print a table, and write the rows where they are asked for."""
    chosen = parse(arguments)
    warnings.filterwarnings("ignore")
    print(heading("benchmarks.data", arguments, ("ray", "pyarrow", "tokenizers", "torch", "datasets")), flush=True)
    with tempfile.TemporaryDirectory(prefix="optical-data-", dir=chosen.folder) as scratch:
        rows = _measure(Path(scratch), chosen)
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data", description=__doc__)
    parser.add_argument("--pairs", type=int, default=200_000, help="sentence pairs of the corpus, at least 1,000")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; above 500,000 pairs there is one, of ours alone")
    parser.add_argument("--object-store-mb", type=int, default=512, help="Ray's object store; it needs 75 or more")
    parser.add_argument("--duplicates", choices=("keep", "exact", "near", "minhash"), default="near", help="of ours")
    parser.add_argument("--folder", type=Path, help="where to work; five million pairs need 5 GB (default: temporary)")
    parser.add_argument("--json", type=Path, help="write every row to this file")
    chosen = parser.parse_args(arguments)
    if chosen.pairs < 1000 or chosen.rounds < 1 or chosen.object_store_mb < 75:
        parser.error("--pairs has to be at least 1000, --rounds 1 and --object-store-mb 75")
    return chosen


def _measure(folder: Path, chosen: argparse.Namespace) -> list[Row]:
    started = time.perf_counter()
    write_corpus(corpus(folder), chosen.pairs)
    _learn_tokenizer(folder)
    size = corpus(folder).stat().st_size / 1e6
    print(f"{chosen.pairs:,} pairs, {size:,.0f} MB, made in {time.perf_counter() - started:.0f} s\n", flush=True)
    small = chosen.pairs <= _MOST_FOR_PEERS
    connect(Resources(), chosen.object_store_mb << 20)
    try:
        rows = []
        for stage, run in STAGES.items():
            run = partial(run, duplicates=chosen.duplicates) if run is clean else run
            contestants = {OURS: partial(_ours, run, folder)}
            contestants |= {name: partial(_peer, name, stage, folder) for name in PEERS if small and not _missing(name)}
            taken = in_rounds(contestants, chosen.rounds if small else 1)
            measured = [_row(stage, name, _pairs(stage, folder), rounds) for name, rounds in taken.items()]
            print(table(*report(measured)), flush=True, end="\n\n")
            rows += measured
    finally:
        ray.shutdown()
    print(_whole(rows, chosen.object_store_mb))
    for name in PEERS:
        if reason := _missing(name) or ("" if small else f"runs up to {_MOST_FOR_PEERS:,} pairs"):
            print(f"left out: {name}: {reason}")
    return rows


def _missing(peer: str) -> str:
    return "not installed (pip install datasets)" if peer == "datasets" and not version_of(peer) else ""


def _learn_tokenizer(folder: Path) -> None:
    with corpus(folder).open(encoding="utf-8") as lines:
        texts = [side for line in islice(lines, _LEARNED_FROM) for side in line.rstrip("\n").split("\t")]
    save_reader(TextReader(learn_wordpiece(texts, _VOCABULARY), BERT), folder / "tokenizer", 512)


def clean(folder: Path, duplicates: str = "near") -> None:
    """From the corpus to clean shards."""
    files = Resolved("pairs", "tsv", (corpus(folder),), (MADE_FROM,))
    bitext = config(folder)
    cleaning = Cleaning(CleaningConfig(duplicates=duplicates))
    checked = checked_pairs([BitextSource(files, SOURCE, TARGET)], Limits.of(bitext), cleaning)
    write_bitext(_emptied(folder / "bitext"), MADE_FROM, checked, bitext, {})


def tokenise(folder: Path) -> None:
    """From clean shards to token shards."""
    side = Side(folder / "tokenizer")
    tokenised = tokenised_pairs(pair_shards(folder / "bitext"), side, side)
    write_tokens(_emptied(folder / "tokens"), MADE_FROM, tokenised, frames_of(side, side), _accepted(folder), DEV_PAIRS)


def batches(folder: Path) -> None:
    """From token shards to the padded batches of one epoch, their schedule included."""
    schedule = Schedule(open_tokens(folder / "tokens"), TRAIN)
    for _ in rank_batches(schedule, 0, 0, 1):
        pass


STAGES: dict[str, Callable[[Path], None]] = {"clean": clean, "tokenise": tokenise, "batches": batches}


def _emptied(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    return path


def _accepted(folder: Path) -> int:
    return sum(artefacts.read(folder / "bitext", BITEXT, verify=False).info["accepted"].values())


def _pairs(stage: str, folder: Path) -> int:
    """Pairs a stage starts from."""
    if stage == "clean":
        with corpus(folder).open("rb") as lines:
            return sum(1 for _ in lines)
    return _accepted(folder) if stage == "tokenise" else len(open_tokens(folder / "tokens"))


def _ours(run: Callable[[Path], None], folder: Path) -> Taken:
    with PeakMemory() as peak:
        started = time.perf_counter()
        run(folder)
        seconds = time.perf_counter() - started
    return Taken(seconds, peak.bytes)


def _peer(contestant: str, stage: str, folder: Path) -> Taken:
    command = [sys.executable, "-m", "benchmarks.data_peers", contestant, stage, str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_PEER_SECONDS)
    return Taken(float(ran.stdout.splitlines()[-1]))


def _row(stage: str, contestant: str, pairs: int, rounds: list[Taken]) -> Row:
    seconds = statistics.median(taken.seconds for taken in rounds)
    peaks = [taken.peak_bytes for taken in rounds if taken.peak_bytes]
    return Row(stage, contestant, pairs, seconds, pairs / seconds, max(peaks, default=None))


def report(rows: list[Row]) -> tuple[list[str], list[list[str]]]:
    """Columns and cells of the table; ratios are of our speed to the contestant's."""
    ours = {row.stage: row.seconds for row in rows if row.contestant == OURS}
    cells = [
        [
            row.stage,
            row.contestant,
            f"{row.pairs:,}",
            f"{row.seconds:.2f}",
            f"{row.pairs_per_second:,.0f}",
            f"{row.seconds / ours[row.stage]:.2f}",
            f"{row.peak_bytes / 1e6:,.0f}" if row.peak_bytes else "",
        ]
        for row in rows
    ]
    return ["stage", "contestant", "pairs", "s", "pairs/s", "optical is x faster", "peak MB"], cells


def _whole(rows: list[Row], object_store_mb: int) -> str:
    ours = [row for row in rows if row.contestant == OURS]
    seconds, peak = sum(row.seconds for row in ours), max(row.peak_bytes or 0 for row in ours)
    return (
        f"optical, all stages: {ours[0].pairs:,} pairs in {seconds:,.0f} s, at most {peak / 1e9:.2f} GB, "
        f"object store of {object_store_mb} MB. `datasets` does not look for duplicates; the batches of the others "
        "are not of one length, so they hold more padding. `plain loop` is one process, with its tokenizer's threads."
    )


if __name__ == "__main__":
    main(sys.argv[1:])
