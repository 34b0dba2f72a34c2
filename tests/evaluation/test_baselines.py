"""Baselines: their specs, their place among the systems, which of them a run can have, and which are rivals."""

import pytest

from optical.errors import DataError, UserError
from optical.evaluation.baselines import Bm25, Fusion, Translation, Translator, parse_baseline
from optical.evaluation.protocols.crosslingual import Config
from optical.evaluation.systems import rivals

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CODES = ("swh_Latn", "eng_Latn")


@pytest.mark.parametrize(
    ("spec", "expected", "name"),
    [
        ("bm25:query", Bm25("query"), "bm25:query"),
        ("bm25:lexicon", Bm25("lexicon"), "bm25:lexicon"),
        ("translate:lexicon", Translation(None), "translate:lexicon"),
        ("translate:/home/me@work/opus-mt-sw-en/", Translation(Translator("/home/me@work/opus-mt-sw-en/")), None),
        (f"translate:o/nllb@{COMMIT}:swh_Latn-eng_Latn", Translation(Translator("o/nllb", COMMIT, CODES)), None),
        ("translate:m2m:sw-en", Translation(Translator("m2m", None, ("sw", "en"))), "translate:m2m:sw-en"),
        (f"translate:o/marian@{COMMIT}", Translation(Translator("o/marian", COMMIT)), "translate:o/marian@0123456"),
    ],
)
def test_a_spec_is_a_kind_and_what_it_reads(spec, expected, name):
    assert parse_baseline(spec, ()) == expected
    assert name is None or expected.name == name


@pytest.mark.parametrize("spec", ["", "bm25", "bm25:", "bm25:swahili", "translate:", "translate: ", "fusion:", "x:y"])
def test_another_spec_is_refused_with_all_that_there_are(spec):
    with pytest.raises(UserError, match=r"^evaluation.baselines: has .*, which is no baseline; write bm25:query, "):
        Config(baselines=(spec,))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("fusion:student", "fuses one system with nothing"),
        ("fusion:student+studnt", "'studnt' is no system of this run that a fusion may have; did you mean student"),
        (
            "fusion:student+bm25:query",
            "'bm25:query' is no system of this run that a fusion may have; fuse two of",
        ),
        ("fusion:student+student", "fuses a system with itself"),
        ("fusion:fusion:student+zero_shot+student", "is no system of this run that a fusion may have"),
    ],
)
def test_a_fusion_of_systems_that_are_not_there_is_refused(spec, said):
    with pytest.raises(UserError) as refused:
        Config(baselines=(spec, "fusion:student+zero_shot"))
    assert said in str(refused.value)


def test_names_with_a_plus_are_found_and_ambiguous_ones_refused():
    names = ["a", "b", "a+b", "b+c", "c"]
    assert parse_baseline("fusion:b+c+a", names) == Fusion(("b+c", "a"))
    with pytest.raises(UserError, match="can be cut in two ways"):
        parse_baseline("fusion:a+b+c", names)


def test_baselines_stand_behind_the_one_that_all_are_tested_against_and_fusions_last():
    specs = ("fusion:bm25:query+translate:nllb", "bm25:query", "translate:x/nllb", "translate:y/nllb")
    protocol = Config(pretrained=("late:e5",), baselines=specs)
    names = [system.name for system in protocol.possible({"teacher", "student"}, {"query"})]
    added = ["late:e5", "bm25:query", "translate:nllb", "translate:nllb-2"]
    assert names == ["zero_shot", *added, "student", "fusion:bm25:query+translate:nllb"]


def test_what_this_run_cannot_have_is_refused():
    protocol = Config(collection="c", baselines=("bm25:english",))
    with pytest.raises(DataError, match="^c: evaluation.baselines has bm25:english, and not every topic has its Engl"):
        protocol.possible({"teacher", "student"}, {"query"})
    assert "bm25:english" in [each.name for each in protocol.possible({"teacher", "student"}, {"query", "english"})]
    fused = Config(collection="c", baselines=("fusion:student+student_start",))
    with pytest.raises(DataError, match="this run cannot measure student_start"):
        fused.possible({"teacher", "student"}, {"query"})


def test_rivals_have_neither_the_student_nor_a_persons_english():
    baselines = ("bm25:query", "bm25:english", "bm25:lexicon", "translate:lexicon", "translate:nllb")
    fusions = ("zero_shot+bm25:query", "late:e5+bm25:lexicon", "student+bm25:query", "english_ceiling+bm25:query")
    protocol = Config(pretrained=("late:e5",), baselines=(*baselines, *(f"fusion:{pair}" for pair in fusions)))
    expected = ["late:e5", "bm25:query", "bm25:lexicon", "translate:lexicon", "translate:nllb"]
    expected += ["fusion:zero_shot+bm25:query", "fusion:late:e5+bm25:lexicon"]
    assert rivals(protocol.compared) == expected


def test_meanings_say_the_settings():
    assert "k1 0.9, b 0.4; words in lower case, none stemmed" in Bm25("query").meaning
    assert "IBM Model 1" in Translation(None).meaning and "4 beams" in Translation(Translator("nllb")).meaning
    assert "1 / (60 + its rank)" in Fusion(("a", "b")).meaning
