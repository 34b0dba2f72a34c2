"""Pairs of which a known share is misaligned: ``python -m benchmarks.noisy_pairs BITEXT --share 0.3 --out noisy.tsv``.

``BITEXT`` is the folder of clean shards of a run, ``runs/shared/bitext-<fingerprint>``. The share is chosen at random,
and each chosen pair gets the English sentence of the next chosen one. Where that is the same sentence, the pair stays
aligned, and the number that is printed does not count it. A recipe then reads the file: ``--bitext.datasets
tsv:noisy.tsv``. Its cleaning drops some misaligned pairs again, those whose sides differ too much in length; the
cleaning report has their number.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optical.artefacts import write_whole
from optical.data.bitext.shards import pair_shards
from optical.errors import UserError, require, require_seed


def main(arguments: list[str]) -> None:
    """Write the file, and print how many pairs it has and how many of them are misaligned."""
    chosen = parse(arguments)
    pairs = pa.concat_tables(pq.read_table(shard, columns=["dataset", "source", "target"]) for shard in shards(chosen))
    if chosen.dataset:
        names = pairs["dataset"].unique().to_pylist()
        what, advice = f"{chosen.bitext} has no pairs of {chosen.dataset}", f"choose from {', '.join(names)}"
        require(chosen.dataset in names, "--dataset", what, advice)
        pairs = pairs.filter(pc.equal(pairs["dataset"], chosen.dataset))
    sources, targets = pairs["source"].to_pylist(), pairs["target"].to_pylist()
    places = misaligned(len(sources), chosen.share, chosen.seed)
    moved = 0
    for place, other in zip(places, np.roll(places, -1), strict=True):
        targets[place] = pairs["target"][other].as_py()
        moved += targets[place] != pairs["target"][place].as_py()
    lines = (f"{source}\t{target}\n" for source, target in zip(sources, targets, strict=True))
    write_whole(chosen.out, "".join(lines).encode())
    print(f"{chosen.out}: {len(sources)} pairs, {moved} of them misaligned")


def misaligned(pairs: int, share: float, seed: int) -> np.ndarray:
    """The places of the pairs to misalign: a share of all, at random, in random order; none where it would be one pair.

    >>> sorted(misaligned(4, 1.0, 0).tolist())
    [0, 1, 2, 3]
    """
    require(0 <= share <= 1, "--share", f"is {share}", "give a share from 0 to 1")
    count = round(share * pairs)
    return np.random.default_rng(seed).permutation(pairs)[: count if count > 1 else 0]


def shards(chosen: argparse.Namespace) -> list[str]:
    """The shards of the bitext.

    Raises:
        UserError: the folder has none.
    """
    found = pair_shards(chosen.bitext) if chosen.bitext.is_dir() else []
    if not found:
        raise UserError(str(chosen.bitext), "holds no shards of bitext", "give runs/shared/bitext-<fingerprint>")
    return found


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.noisy_pairs", description=__doc__)
    parser.add_argument("bitext", type=Path, help="folder of clean shards")
    parser.add_argument("--dataset", help="only the pairs of this data set")
    parser.add_argument("--share", type=float, required=True, help="of the pairs that are misaligned, 0 to 1")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="TSV file to write: source, target")
    chosen = parser.parse_args(arguments)
    require_seed("--seed", chosen.seed)
    return chosen


if __name__ == "__main__":
    main(sys.argv[1:])
