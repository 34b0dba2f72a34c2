"""In how many sentences tokens occur, counted over row groups, files and columns, and the idf by hand."""

import math

import numpy as np
import pytest

from optical.data.batches.frequencies import SentenceFrequencies, sentence_frequencies
from optical.data.batches.token_shards import open_tokens
from optical.data.batches.tokenise import write_tokens
from optical.model.text.frame import Frame, Frames
from tests.readers import FRAMES

PAIRS = [
    ([2, 9, 9, 5, 3], [2, 7, 3]),
    ([2, 9, 3], [2, 7, 8, 3]),
    ([2, 5, 6, 3], [2, 2, 3]),
    ([2, 11, 9, 3], [2, 6, 7, 3]),
]


def written(folder, table, frames=FRAMES, **sizes):
    write_tokens(folder, "f" * 64, [table], frames, len(PAIRS), 0, **sizes)
    return open_tokens(folder)


def test_a_sentence_counts_once_and_what_stands_around_it_not_at_all(tmp_path, id_table):
    tokens = written(tmp_path / "tokens", id_table(PAIRS))
    source = sentence_frequencies(tokens, ["source_ids"])
    assert source.sentences == 4
    assert source.counts.tolist() == [0, 0, 0, 0, 0, 2, 1, 0, 0, 3, 0, 1]
    # A text may hold an id that also stands around texts.
    assert sentence_frequencies(tokens, ["target_ids"]).counts.tolist() == [0, 0, 1, 0, 0, 0, 1, 3, 1]


@pytest.mark.parametrize("sizes", [(1, 4), (2, 2), (3, 1)])
def test_row_groups_and_files_change_nothing(tmp_path, id_table, sizes):
    few = written(tmp_path / "few", id_table(PAIRS), rows_per_group=sizes[0], rows_per_shard=sizes[1])
    found = sentence_frequencies(few, ["source_ids"])
    assert len(few.shard) > 1
    assert (found.sentences, found.counts.tolist()) == (4, [0, 0, 0, 0, 0, 2, 1, 0, 0, 3, 0, 1])


def test_sentences_of_all_columns_are_counted(tmp_path, id_table):
    found = sentence_frequencies(written(tmp_path / "tokens", id_table(PAIRS)), ["source_ids", "mono_ids"])
    assert found.sentences == 8
    assert found.counts.tolist() == [0, 0, 1, 0, 0, 2, 2, 3, 1, 3, 0, 1]


def test_each_side_has_a_frame_of_its_own(tmp_path, id_table):
    wide = Frame(before=(2, 9), after=(), pad=0)
    tokens = written(tmp_path / "tokens", id_table(PAIRS[:1] * 4), Frames(FRAMES.source, wide))
    assert sentence_frequencies(tokens, ["target_ids"]).counts.tolist() == [0, 0, 0, 4]


def test_a_held_out_pair_is_not_counted(tmp_path, id_table):
    write_tokens(tmp_path / "tokens", "f" * 64, [id_table(PAIRS)], FRAMES, 4, 1)
    found = sentence_frequencies(open_tokens(tmp_path / "tokens"), ["source_ids"])
    assert (found.sentences, found.counts[9]) == (3, 2)


def test_idf_by_hand():
    idf = SentenceFrequencies(4, np.array([4, 1, 0])).idf
    expected = [1, math.log(5 / 2) + 1, math.log(5) + 1, math.log(5) + 1]
    np.testing.assert_allclose(idf, expected, rtol=1e-6)
    assert idf.dtype == np.float32


def test_idf_is_that_of_scikit_learn(tmp_path, id_table):
    text = pytest.importorskip("sklearn.feature_extraction.text")
    found = sentence_frequencies(written(tmp_path / "tokens", id_table(PAIRS)), ["source_ids"])
    terms = np.zeros((len(PAIRS), len(found.counts) + 1))
    for row, (source, _) in zip(terms, PAIRS, strict=True):
        np.add.at(row, source[1:-1], 1)
    np.testing.assert_allclose(found.idf, text.TfidfTransformer().fit(terms).idf_, rtol=1e-6)
