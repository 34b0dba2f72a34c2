"""Several data sets and languages in one run: each is capped, judged and held out for itself, and none is silent."""

from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from optical import artefacts
from optical.cluster import connect
from optical.data.batches.token_shards import TOKENISED, TOKENS, open_tokens, read_split
from optical.data.batches.tokenise import write_tokens
from optical.data.bitext import stream
from optical.data.bitext.config import BitextConfig, CleaningConfig
from optical.data.bitext.screen import Limits
from optical.data.bitext.shards import BITEXT, pair_counts, write_bitext
from optical.data.bitext.sources import open_source, source_language
from optical.data.bitext.stream import BitextSource, checked_pairs
from optical.data.cleaning import duplicates
from optical.data.cleaning.predicates import Cleaning
from optical.errors import DataError, UserError
from optical.resources import Resources
from pipelines.graph.bitext import _refuse_twins
from tests.readers import FRAMES
from tests.streaming import stream_in_process

WORDS = ["moja", "mbili", "tatu", "nne", "tano", "sita", "saba", "nane", "tisa", "kumi"]


def lines(start: int, end: int, name: str = "neno") -> str:
    return "".join(f"{name} {WORDS[n % 10]} {n}\tthe word {n} of {WORDS[n % 10]}\n" for n in range(start, end))


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch):
    stream_in_process(monkeypatch)


def made(folder: Path, files: dict[str, str], **config) -> artefacts.Artefact:
    """The bitext of some files by name, each with the language its suffix says."""
    for name, content in files.items():
        (folder / name.partition("@")[0]).write_text(content)
    specs = tuple(f"{folder}/{name}" for name in files)
    bitext = BitextConfig(**({"datasets": specs, "source": "swa"} | config))
    sources = [BitextSource(open_source(spec, folder), source_language(spec, bitext.source), "eng") for spec in specs]
    checked = checked_pairs(sources, Limits.of(bitext), Cleaning(bitext.cleaning), bitext.max_pairs)
    write_bitext(folder / "bitext", "f" * 64, checked, bitext, {})
    return artefacts.read(folder / "bitext", BITEXT)


def accepted(bitext: artefacts.Artefact) -> list[int]:
    return [count for _, count in sorted(bitext.info["accepted"].items())]


@pytest.mark.usefixtures("without_ray")
def test_a_cap_is_of_each_data_set(tmp_path: Path):
    files = {"a.tsv@swa": lines(0, 50), "b.tsv@som": lines(50, 100), "c.tsv@fin": lines(100, 105)}
    bitext = made(tmp_path, files, source="*", max_pairs=16)
    assert accepted(bitext) == [16, 16, 5]
    assert pair_counts(bitext.path) == [16, 16, 5]


@pytest.mark.usefixtures("without_ray")
@pytest.mark.parametrize("cap", [1, 7, 8, 20, None])
def test_the_kept_pairs_make_duplicates_and_those_beyond_a_cap_none(tmp_path: Path, cap: int | None):
    files = {"a.tsv": lines(0, 20), "b.tsv": lines(10, 30)}
    bitext = made(tmp_path, files, max_pairs=cap)
    kept = range(cap or 20)
    fresh = [n for n in range(10, 30) if n not in kept]
    assert accepted(bitext) == [len(kept), len(fresh[: cap or 20])]
    read = len(range(10, fresh[: cap or 20][-1] + 1))
    assert bitext.info["rejected"].get(f"{tmp_path}/b.tsv", {}) == (
        {"duplicate": read - accepted(bitext)[1]} if read > accepted(bitext)[1] else {}
    )


@pytest.mark.usefixtures("without_ray")
def test_nothing_is_read_far_beyond_a_cap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream, "mark_duplicates", partial(duplicates.mark_duplicates, pairs_per_window=7))
    blocks = []
    block = stream._block
    monkeypatch.setattr(stream, "_block", lambda *given: blocks.append(given[1]) or block(*given))
    files = {"a.tsv": lines(0, 5000), "b.tsv": lines(5000, 10_000)}
    assert accepted(made(tmp_path, files, max_pairs=10)) == [10, 10]
    assert len(blocks) <= 20, "the two sets have 1,430 blocks"


@pytest.mark.usefixtures("without_ray")
@pytest.mark.parametrize("duplicates_kept", ["keep", "near"])
@pytest.mark.parametrize("cap", [None, 5])
@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "no pair was accepted: it holds none in these languages"),
        ("source\ttarget\n", "no pair was accepted: it holds none in these languages"),
        ("\u092e\u0941\u0932\u0947\tchildren\n" * 3, "no pair was accepted\n  script"),
        ("same\tsame\n", "no pair was accepted\n  identical"),
    ],
)
def test_a_data_set_that_gives_nothing_stops_the_run(
    tmp_path: Path, content: str, why: str, cap: int | None, duplicates_kept: str
):
    config = {"max_pairs": cap, "max_reject_share": 1.0, "cleaning": CleaningConfig(duplicates=duplicates_kept)}
    with pytest.raises(DataError) as stopped:
        made(tmp_path, {"a.tsv": lines(0, 50), "b.tsv": content, "c.tsv": lines(50, 99)}, **config)
    assert str(stopped.value).startswith(f"{tmp_path}/b.tsv: {why}")
    assert "leave it out" in str(stopped.value)
    assert not (tmp_path / "bitext").exists()


@pytest.mark.usefixtures("without_ray")
def test_a_data_set_that_another_holds_already_stops_the_run(tmp_path: Path):
    with pytest.raises(DataError, match=r"b.tsv: no pair was accepted\n  duplicate +10 +100.0%"):
        made(tmp_path, {"a.tsv": lines(0, 50), "b.tsv": lines(5, 15)})


@pytest.mark.usefixtures("without_ray")
def test_the_share_of_faults_is_of_each_data_set(tmp_path: Path):
    with pytest.raises(DataError, match="b.tsv: 3 of 10 pairs are faulty, and at most 5.0% may be"):
        made(tmp_path, {"a.tsv": lines(0, 900), "b.tsv": lines(900, 907) + "\tx\n" * 3})


def test_a_data_set_is_named_once(tmp_path: Path):
    with pytest.raises(UserError, match="bitext.datasets: names demo twice; name each data set once"):
        BitextConfig(datasets=("demo", "hornmt-som", "demo"))
    (tmp_path / "a.tsv").write_text(lines(0, 9))
    (tmp_path / "b.tsv").write_text(lines(0, 9))
    same = (f"{tmp_path}/a.tsv", f"{tmp_path}/b.tsv")
    with pytest.raises(UserError, match=f"{same[0]} and {same[1]} are the same files; leave one of them out"):
        _refuse_twins([open_source(spec, tmp_path) for spec in same], BitextConfig(datasets=same))
    other = (same[0], f"{same[1]}@som")
    _refuse_twins([open_source(spec, tmp_path) for spec in other], BitextConfig(datasets=other))


def tokens(folder: Path, sizes: dict[str, int], dev_pairs: int, words: int = 1) -> Path:
    tables = []
    for name, size in sizes.items():
        ids = [[2, *[n + 5] * words, 3] for n in range(size)]
        tables.append(
            pa.table(
                {"dataset": [name] * size, "source_ids": ids, "target_ids": ids, "mono_ids": ids}, schema=TOKENISED
            )
        )
    counts = tuple(sizes.values())
    write_tokens(folder / "tokens", "f" * 64, tables, FRAMES, sum(counts), dev_pairs, counts)
    return folder / "tokens"


@pytest.mark.parametrize(
    ("sizes", "dev_pairs", "dev"),
    [
        ({"a": 100}, 4, [4]),
        ({"a": 100, "b": 100}, 4, [2, 2]),
        ({"a": 900, "b": 5, "c": 95}, 4, [3, 1, 1]),
        ({"a": 5, "b": 900, "c": 2}, 2, [1, 1, 1]),
    ],
)
def test_dev_pairs_come_from_every_data_set(tmp_path: Path, sizes: dict[str, int], dev_pairs: int, dev: list[int]):
    folder = tokens(tmp_path, sizes, dev_pairs)
    assert open_tokens(folder, "dev").dataset_sizes.tolist() == dev
    assert open_tokens(folder).dataset_sizes.tolist() == [
        size - held for size, held in zip(sizes.values(), dev, strict=True)
    ]
    assert artefacts.read(folder, TOKENS).info["train"] == sum(sizes.values()) - sum(dev)


def test_the_held_out_pair_is_the_middle_of_its_data_set(tmp_path: Path):
    held = read_split(tokens(tmp_path, {"a": 900, "b": 5, "c": 95}, 2), "dev")
    assert [ids.as_py()[1] - 5 for ids in held.source_ids] == [0, 2, 94]


def test_a_data_set_without_a_pair_to_train_on_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="^b: leaves no pair to train on"):
        tokens(tmp_path, {"a": 50, "b": 1}, 2)


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")
def test_caps_on_ray(tmp_path: Path):
    connect(Resources())
    files = {"a.tsv": lines(0, 3000), "b.tsv": lines(500, 3500), "c.tsv": lines(3400, 3600)}
    bitext = made(tmp_path, files, max_pairs=1000)
    assert accepted(bitext) == [1000, 1000, 200]
    assert bitext.info["rejected"] == {f"{tmp_path}/b.tsv": {"duplicate": 500}}
