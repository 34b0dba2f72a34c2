"""Mined negatives: which passage it is, that it is no answer, and its way into a batch."""

import logging

import numpy as np
import pytest

from optical.data.batches.batch import collate, padded
from optical.data.batches.config import BatchConfig
from optical.data.batches.feed import RankShare
from optical.data.batches.negatives import KIND, mined_negatives, read_negatives, write_negatives
from optical.data.batches.schedule import Schedule
from optical.data.batches.token_shards import open_tokens, read_lengths, read_split
from optical.data.batches.tokenise import with_negatives, write_tokens
from optical.errors import DataError
from tests.readers import FRAMES, ids_of

QUESTIONS = [
    "How long is the Nile river?",
    "Which river flows through Cairo?",
    "Who wrote the novel about Nairobi?",
    "how long is the nile river",
    "Who painted this?",
]
PASSAGES = [
    "The Nile river is 6,650 km long.",
    "Cairo lies on the Nile, a long river.",
    "The novel about Nairobi was written by a teacher.",
    "The Nile is a very long river: 6650 kilometres.",
    "Nobody knows.",
]


def test_the_best_ranked_passage_that_answers_nothing_is_the_negative():
    # Questions 0 and 3 are one question, so both of its passages are relevant to it.
    found = mined_negatives(QUESTIONS, PASSAGES)
    assert found[0] == found[3] == 1
    assert found[1] == 0
    assert found.dtype == np.int64


def test_mining_says_nothing_in_the_log(caplog):
    caplog.set_level(logging.DEBUG)
    mined_negatives(QUESTIONS, PASSAGES)
    assert [record for record in caplog.records if record.name.startswith("bm25s")] == []


def test_a_question_that_shares_no_word_with_another_passage_has_none():
    assert mined_negatives(QUESTIONS, PASSAGES)[4] == -1


@pytest.mark.parametrize(
    "twin",
    [
        "the  NILE river is 6650 KM long",
        "Some say that the Nile river is 6,650 km long. Others differ.",
        "Nile river is 6,650 km",
    ],
)
def test_the_own_passage_in_other_words_is_no_negative(twin):
    assert mined_negatives(QUESTIONS, [*PASSAGES[:1], twin, *PASSAGES[2:]])[0] == -1


def test_passages_that_differ_in_case_and_marks_are_one_and_the_first_pair_stands_for_them():
    questions = [*QUESTIONS, "Is Cairo on the Nile?"]
    assert mined_negatives(questions, [*PASSAGES, "cairo lies on the nile , a long river"])[0] == 1


def test_the_best_rank_is_that_of_a_plain_bm25():
    draw = np.random.default_rng(0)
    words = [f"w{number}x" for number in range(30)]
    passages = [" ".join(draw.choice(words, draw.integers(5, 12))) for _ in range(40)]
    questions = [" ".join(draw.choice(words, 3, replace=False)) + f" q{number}" for number in range(40)]
    counts = np.array([[passage.split().count(word) for word in words] for passage in passages])
    length = counts.sum(1, keepdims=True)
    found_in = (counts > 0).sum(0)
    idf = np.log(1 + (len(passages) - found_in + 0.5) / (found_in + 0.5))
    weights = idf * counts / (counts + 0.9 * (1 - 0.4 + 0.4 * length / length.mean()))
    for number, found in enumerate(mined_negatives(questions, passages)):
        scores = weights[:, [words.index(word) for word in questions[number].split()[:3]]].sum(1)
        scores[number] = -1
        assert scores[found] == pytest.approx(scores.max(), rel=1e-5)


def test_the_artefact_says_how_many_questions_have_a_negative(tmp_path):
    from optical import artefacts

    write_negatives(tmp_path / "negatives", "f" * 64, QUESTIONS, PASSAGES)
    assert artefacts.read(tmp_path / "negatives", KIND).info == {"pairs": 5, "negatives": 3}
    assert read_negatives(tmp_path / "negatives").tolist() == mined_negatives(QUESTIONS, PASSAGES).tolist()


@pytest.fixture
def mined_tokens(bitext, tokenizer, id_table, tmp_path):
    """The bitext as a tokens artefact in which the target of pair i + 7 is the negative of pair i, for i > 0."""
    sides = (ids_of(tokenizer, [pair[side] for pair in bitext]) for side in (0, 1))
    ids = list(zip(*sides, strict=True))
    negatives = (np.arange(len(ids)) + 7) % len(ids)
    negatives[0] = -1
    tables = with_negatives([id_table(ids[:50]), id_table(ids[50:])], negatives)
    write_tokens(tmp_path / "mined", "f" * 64, tables, FRAMES, len(ids), 16, negatives=True)
    following = {tuple(source): ids[number][1] for (source, _), number in zip(ids, negatives, strict=True)}
    return tmp_path / "mined", following | {tuple(ids[0][0]): ids[0][1]}


def test_every_pair_takes_its_negative_into_every_batch(mined_tokens):
    folder, negative_of = mined_tokens
    schedule = Schedule(open_tokens(folder), BatchConfig(batch_pairs=16, source_length=8, target_length=8))
    seen = 0
    for rank in range(2):
        share = RankShare.of(schedule, rank, 2)
        for block in (block for stretch in schedule.stretches(0) for block in share.blocks(stretch)):
            for batch in collate(block, FRAMES):
                for row in range(len(batch.weight)):
                    source = tuple(batch.source.ids[row][batch.source.mask[row]].tolist())
                    assert batch.negative.ids[row][batch.negative.mask[row]].tolist() == negative_of[source]
                    seen += 1
    assert seen == len(read_lengths(folder).source) == 80
    dev = read_split(folder, "dev")
    assert len(padded(dev).negative) == len(dev) == 16


def test_negatives_are_cut_like_targets_and_are_taken_with_their_pairs(mined_tokens):
    folder, _ = mined_tokens
    pairs = read_split(folder, "dev")
    cut = pairs.cut(8, 4).take(np.array([3, 1]))
    assert cut.negative_ids.to_pylist() == [[*ids[:3], ids[-1]] for ids in pairs.negative_ids.take([3, 1]).to_pylist()]


def test_pairs_without_negatives_have_no_such_column(tokens):
    pairs = read_split(tokens, "train")
    assert pairs.negative_ids is None
    assert padded(pairs.cut(8, 8)).negative is None


def test_negatives_of_other_pairs_are_refused(id_table):
    with pytest.raises(DataError, match="there are 3 for 1 pairs; delete the negatives"):
        list(with_negatives([id_table([([2, 5, 3], [2, 6, 3])])], np.array([0, 0, 0])))
