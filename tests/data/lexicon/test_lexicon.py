"""The lexicon: words of many scripts, what is kept of the table, the artefact, and texts word by word."""

import pytest

from optical.data.lexicon import lexicon as module
from optical.data.lexicon.lexicon import as_lexicon, learned_lexicon, read_lexicon, word_by_word, write_lexicon
from optical.data.lexicon.words import spelt_words, words
from optical.errors import DataError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ng'ombe wa Mwalimu-mkuu.", ["ng", "ombe", "wa", "mwalimu", "mkuu"]),
        ("cafe\u0301 naïf_mot 3.5", ["caf\u00e9", "naïf", "mot", "3", "5"]),
        ("हिन्दी, पढ़ो!", ["हिन्दी", "पढ़ो"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("ÉCOLE İzmir", ["école", "i\u0307zmir"]),
        ("... - '", []),
    ],
)
def test_words_are_letters_with_their_marks_and_digits(text, expected):
    assert words(text) == expected


def test_words_keep_their_spelling_where_it_matters():
    assert spelt_words("Mto Nile uko wapi?") == ["Mto", "Nile", "uko", "wapi"]


def test_the_lexicon_of_a_word_by_word_corpus_is_its_dictionary(bitext):
    table, facts = learned_lexicon([source for source, _ in bitext], [target for _, target in bitext])
    found = as_lexicon(table)
    assert {word: best[0] for word, best in found.items()} == {
        source: target for pair in bitext for source, target in zip(pair[0].split(), pair[1].split(), strict=True)
    }
    assert facts == {"pairs": len(bitext), "words": len(found)}


def test_long_pairs_are_left_out_and_many_are_thinned(monkeypatch):
    assert learned_lexicon(["maji " * 65] * 4, ["water"] * 4)[1] == {"pairs": 0, "words": 0}
    monkeypatch.setattr(module, "MOST_PAIRS", 3)
    assert learned_lexicon(["maji"] * 7, ["water"] * 7)[1]["pairs"] == 3


def test_weak_second_translations_are_left_out_and_the_first_is_not():
    sources, targets = ["maji"] * 10, ["water"] * 8 + ["river"] * 2
    assert as_lexicon(learned_lexicon(sources, targets)[0]) == {"maji": ("water", "river")}
    assert as_lexicon(learned_lexicon(sources + ["maji"] * 9, targets + ["water"] * 9)[0]) == {"maji": ("water",)}
    many = [f"w{number}" for number in range(8) for _ in range(2)]
    assert len(as_lexicon(learned_lexicon(["maji"] * 16, many)[0])["maji"]) == 1


def test_an_artefact_reads_back_and_something_else_is_refused(tmp_path):
    write_lexicon(tmp_path / "lexicon", "f" * 64, ["maji", "maji"], ["water", "water"])
    assert read_lexicon(tmp_path / "lexicon") == {"maji": ("water",)}
    with pytest.raises(DataError, match="no lexicon here"):
        read_lexicon(tmp_path / "nothing")


def test_unknown_words_and_numbers_stay():
    lexicon = {"mto": ("river",), "2020": ("2021",), "uko": ("is", "are")}
    assert word_by_word("Mto Nile uko, 2020?", lexicon) == "river Nile is are 2020"
    assert word_by_word("?!", lexicon) == ""
