"""The benchmark tool that misaligns a known share of pairs."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.noisy_pairs import main
from optical.errors import UserError


@pytest.fixture
def bitext(tmp_path):
    folder = tmp_path / "bitext"
    folder.mkdir()
    for shard in range(2):
        numbers = range(20 * shard, 20 * shard + 20)
        columns = {
            "dataset": ["news" if number % 4 else "questions" for number in numbers],
            "source": [f"neno {number}" for number in numbers],
            "target": [f"word {number}" for number in numbers],
        }
        pq.write_table(pa.table(columns), folder / f"pairs-{shard:05}.parquet")
    return folder


def written(bitext, *flags):
    out = bitext.parent / "noisy.tsv"
    main([str(bitext), "--out", str(out), *flags])
    return [line.split("\t") for line in out.read_text().splitlines()]


@pytest.mark.parametrize(("share", "count"), [("0", 0), ("0.3", 12), ("1", 40), ("0.02", 0)])
def test_the_share_asked_for_is_misaligned_and_no_sentence_is_lost(bitext, share, count):
    pairs = written(bitext, "--share", share)
    assert [source for source, _ in pairs] == [f"neno {number}" for number in range(40)]
    assert sorted(target for _, target in pairs) == sorted(f"word {number}" for number in range(40))
    assert sum(source.split()[1] != target.split()[1] for source, target in pairs) == count
    assert pairs == written(bitext, "--share", share)


def test_other_seeds_misalign_others_and_one_data_set_stands_alone(bitext):
    assert written(bitext, "--share", "0.3") != written(bitext, "--share", "0.3", "--seed", "1")
    assert len(written(bitext, "--share", "0.3", "--dataset", "questions")) == 10


@pytest.mark.parametrize(
    ("flags", "said"),
    [(("--share", "1.5"), "from 0 to 1"), (("--share", "0.1", "--dataset", "x"), "choose from questions, news")],
)
def test_what_cannot_be_done_is_refused(bitext, flags, said):
    with pytest.raises(UserError, match=said):
        written(bitext, *flags)


def test_a_folder_without_shards_is_refused(tmp_path):
    with pytest.raises(UserError, match="no shards"):
        main([str(tmp_path), "--share", "0.1", "--out", str(tmp_path / "out.tsv")])


def test_a_pair_that_gets_its_own_sentence_back_is_not_counted(tmp_path, capsys):
    columns = {"dataset": ["news"] * 4, "source": list("abcd"), "target": ["same"] * 4}
    pq.write_table(pa.table(columns), tmp_path / "pairs-00000.parquet")
    main([str(tmp_path), "--share", "1", "--out", str(tmp_path / "out.tsv")])
    assert "4 pairs, 0 of them misaligned" in capsys.readouterr().out
