"""Learning a Unigram vocabulary: probabilities, limits, and the library's own trainer as reference."""

import math

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from optical.model.vocabulary.unigram_learning import LONGEST, learn_unigram
from tests.model.vocabulary.tiny import ENGLISH, FRENCH, SWAHILI


def counted(texts: list[str]) -> dict[str, int]:
    words: dict[str, int] = {}
    for text in texts:
        for word, _ in pre_tokenizers.Metaspace().pre_tokenize_str(text):
            words[word] = words.get(word, 0) + 1
    return words


WORDS = counted((ENGLISH + FRENCH + SWAHILI) * 3)


@pytest.mark.parametrize("vocabulary", [45, 60, 80])
def test_pieces_are_ranked_and_their_probabilities_sum_to_one(vocabulary: int):
    learned = learn_unigram(WORDS, vocabulary)
    assert len(learned) == vocabulary
    assert list(learned.values()) == sorted(learned.values(), reverse=True)
    # The digamma function takes a share from every piece.
    assert 0.8 < sum(map(math.exp, learned.values())) < 1
    assert {character for word in WORDS for character in word} <= learned.keys()
    assert max(map(len, learned)) <= LONGEST


def test_the_order_of_the_words_decides_nothing():
    backwards = dict(reversed(WORDS.items()))
    assert learn_unigram(backwards, 80) == learn_unigram(WORDS, 80)


def test_what_occurs_often_is_one_piece():
    learned = learn_unigram({"maji": 100, "majani": 100, "ni": 90}, 9)
    assert list(learned)[:3] == ["ni", "maja", "maji"] or {"maji", "ni"} <= set(list(learned)[:4])
    assert learned["ni"] > learned["n"]


def test_characters_stay_and_useless_pieces_go_whatever_the_size():
    assert learn_unigram({"ab": 4, "ba": 1}, 0).keys() == {"a", "b"}
    assert set(learn_unigram({"abab": 4}, 1000)) <= {"a", "b", "ab", "abab", "aba", "bab", "ba"}
    assert len(learn_unigram({"abab": 4}, 1000)) < 7
    assert learn_unigram({}, 10) == {}
    assert learn_unigram({"": 10}, 10) == {}
    assert learn_unigram({"a": 1}, 10).keys() == {"a"}


@pytest.mark.parametrize("least", [1, 4, 20])
def test_no_piece_is_rarer_than_asked_but_a_character(least: int):
    learned = learn_unigram(WORDS, 80, least)
    reader = Tokenizer(models.Unigram([("<unk>", 0.0), *learned.items()], unk_id=0))
    read: dict[str, int] = {}
    for word, count in WORDS.items():
        for piece in reader.encode(word).tokens:
            read[piece] = read.get(piece, 0) + count
    longer = [piece for piece in learned if len(piece) > 1]
    # The expected count, which is rounded, is not the count of the best reading.
    assert all(read.get(piece, 0) >= 0.7 * least for piece in longer)
    assert longer


def test_what_rare_pieces_leave_makes_others_frequent_enough():
    # "majini" alone would be dropped, and so would "maji" if all rare ones went at once.
    words = {"maji": 3, "majini": 3, "majiko": 3, "ni": 3, "ko": 3}
    assert {"maji", "ni", "ko"} <= learn_unigram(words, 50, 5).keys()
    assert "majini" in learn_unigram(words, 50)
    assert "majini" not in learn_unigram(words, 50, 5)


def test_one_piece_a_word_by_hand():
    # One word of one character: its count is all there is, and digamma(3) - digamma(3) = 0.
    assert learn_unigram({"a": 3}, 5) == {"a": 0.0}


def test_texts_take_about_as_many_tokens_as_with_the_trainer_of_the_library():
    lengths = []
    ours = learn_unigram(WORDS, 100)
    theirs = Tokenizer(models.Unigram())
    theirs.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=101, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False)
    theirs.train_from_iterator((ENGLISH + FRENCH + SWAHILI) * 3, trainer)
    made = Tokenizer(models.Unigram([("<unk>", 0.0), *ours.items()], 0, False))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    for tokenizer in (made, theirs):
        lengths.append(sum(len(tokenizer.encode(text).ids) for text in ENGLISH + FRENCH + SWAHILI))
    assert lengths[0] <= 1.05 * lengths[1]
