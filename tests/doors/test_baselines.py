"""Baselines beside the student: refused early, made from the run's own data, searched, fused, and told of."""

import shutil
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from optical import artefacts
from optical.data.lexicon.lexicon import write_lexicon
from optical.evaluation.fusion import reciprocal_rank_fusion
from optical.evaluation.translations import read_translations, write_translations
from optical.index.bm25 import bm25_run
from optical.index.embed import PassageEncoder
from optical.index.embeddings import write_embeddings
from optical.model.folder import read_shape
from optical.recipe import decisive
from pipelines.__main__ import main
from pipelines.checks.recipe import translation_models as doctor_looks
from pipelines.environment import Settings
from pipelines.graph.baselines import LEXICON_OF_BITEXT, translations_node
from pipelines.graph.bitext import BITEXT
from pipelines.graph.collection import COLLECTION
from pipelines.graph.passages import EMBEDDINGS
from pipelines.graph.runs import RUNS, read_runs, systems
from pipelines.graph.searching import retriever
from pipelines.graph.student import STUDENT, STUDENT_START
from pipelines.graph.teacher import TEACHER
from pipelines.graph.workspace import Workspace
from pipelines.public import public_recipe
from pipelines.recipes import recipe
from tests.doors.places import Placed
from tests.doors.recipes import changed

DEMO = recipe("demo")
PASSAGES = {"p1": "child water school", "p2": "river", "p3": "sun rain tree food", "p4": "book house"}
QUERIES = {"q1": "Mtoto maji", "q2": "mto Nile", "q3": "jua mvua"}
ENGLISH = ["child water", "river Nile", "sun rain"]
ALL = ("bm25:query", "bm25:english", "bm25:lexicon", "translate:lexicon", "fusion:student+bm25:lexicon")


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(runs_dir=tmp_path / "runs", cache=tmp_path / "cache", mirror=None)


def compared_with(*specs: str):
    return changed(DEMO, evaluation__baselines=specs)


# refused before any work


@pytest.mark.parametrize(
    ("specs", "said"),
    [
        (["bm25:swahili"], "evaluation.baselines: has 'bm25:swahili', which is no baseline; write bm25:query"),
        (["translate:no-such-model"], "evaluation.baselines: names 'no-such-model', which is no folder here; give a"),
        (["translate:owner/model"], "as a hub id lacks its commit; write translate:owner/model@<commit of 40 digits>"),
        (["fusion:student+bm25:query"], "'bm25:query' is no system of this run that a fusion may have"),
        (["fusion:student+student_start"], "and a run of this recipe has no student_start; fuse other systems"),
        (["bm25:query", "bm25:query"], "evaluation.baselines: names bm25:query twice; name it once"),
    ],
)
def test_a_baseline_that_cannot_be_is_refused_in_one_line(settings, capsys, specs, said):
    where = ("--runs-dir", str(settings.runs_dir), "--cache", str(settings.cache))
    assert main(["run", "demo", "--evaluation.baselines", *specs, *where]) == 2
    error = capsys.readouterr().err.strip()
    assert said in error and "\n" not in error
    assert not settings.runs_dir.exists()


def test_a_language_without_spaces_has_no_lexicon(settings, capsys):
    flags = ["--bitext.source", "tha", "--bitext.datasets", "x.tsv", "--runs-dir", str(settings.runs_dir)]
    assert main(["prepare", "demo", "--evaluation.baselines", "bm25:lexicon", *flags]) == 2
    assert "Thai writes no spaces between words, so no lexicon" in capsys.readouterr().err


def test_doctor_looks_at_every_translation_model(settings, encoder_folder):
    specs = ("translate:no-such-model", f"translate:{encoder_folder}", "translate:lexicon")
    found = list(doctor_looks(compared_with(*specs), settings))
    assert [finding.fine for finding in found] == [False, False]
    assert "is no folder here" in found[0].seen and "is no encoder-decoder" in found[1].seen


# names


def test_a_recipe_without_baselines_keeps_its_name_and_each_baseline_changes_the_run_alone(settings):
    assert "baselines" not in decisive(DEMO)["evaluation"]
    prints = {specs: Workspace(compared_with(*specs), settings).fingerprint for specs in [(), *((s,) for s in ALL[:4])]}
    assert len(set(prints.values())) == 5
    one, other = Workspace(DEMO, settings), Workspace(compared_with(*ALL), settings)
    assert one.fingerprint_of(STUDENT) == other.fingerprint_of(STUDENT)
    made = [node.kind for node in other.order(RUNS)]
    assert made.count("lexicon") == made.count("translations") == 1
    assert made.index("possible-systems") < made.index("bitext") < made.index("lexicon") < made.index("student")


def test_the_bitext_decides_the_lexicon_and_nothing_of_a_bm25(settings):
    def prints(*specs: str, pairs: int) -> str:
        base = changed(compared_with(*specs), bitext__max_pairs=pairs)
        workspace = Placed(base, settings, {}, {STUDENT: "5" * 64, EMBEDDINGS: "e" * 64})
        return workspace.fingerprint_of(RUNS)

    assert prints("bm25:query", pairs=100) == prints("bm25:query", pairs=200)
    assert prints("bm25:lexicon", pairs=100) != prints("bm25:lexicon", pairs=200)
    assert translations_node(None) is translations_node(None)
    assert BITEXT in Workspace(DEMO, settings).parents(LEXICON_OF_BITEXT)


def test_a_public_recipe_names_no_path():
    specs = ("translate:/home/me/nllb:swh_Latn-eng_Latn", "bm25:query", "fusion:bm25:query+student")
    expected = ("translate:nllb:swh_Latn-eng_Latn", *specs[1:])
    assert public_recipe(compared_with(*specs)).evaluation.baselines == expected


# a run


@pytest.fixture
def run(tmp_path, settings, encoder_folder, bitext) -> Workspace:
    """The TREC runs of a student, its teacher and every baseline that needs no translation model."""
    collection = tmp_path / "collection"
    with artefacts.writing(collection, "collection", "c" * 64) as scratch:
        columns = {"docid": list(PASSAGES), "text": list(PASSAGES.values())}
        pq.write_table(pa.table(columns), scratch / "passages.parquet")
        topics = {"qid": list(QUERIES), "query": list(QUERIES.values()), "english": ENGLISH}
        pq.write_table(pa.table(topics), scratch / "topics.parquet")
    passages = pq.read_table(collection / "passages.parquet")
    table = PassageEncoder(encoder_folder, DEMO.teacher.document_length, 1, False)(passages)
    write_embeddings(tmp_path / "embeddings", "e" * 64, read_shape(encoder_folder).dim, [table])
    write_lexicon(tmp_path / "lexicon", "l" * 64, *zip(*bitext, strict=True))
    translated = translations_node(None)
    places = dict.fromkeys((TEACHER, STUDENT, STUDENT_START), encoder_folder)
    places |= {COLLECTION: collection, EMBEDDINGS: tmp_path / "embeddings", LEXICON_OF_BITEXT: tmp_path / "lexicon"}
    places |= {translated: tmp_path / "translations"}
    prints = {EMBEDDINGS: "e" * 64, RUNS: "f" * 64}
    workspace = Placed(compared_with(*ALL), replace(settings, run_name="mine"), places, prints)
    session = SimpleNamespace(workspace=workspace, work=lambda verb: nullcontext())
    translated.make(session, places[translated], "t" * 64)
    RUNS.make(session, workspace.path(RUNS), "f" * 64)
    return workspace


def test_every_baseline_makes_the_run_that_its_name_says(run):
    order = ["zero_shot", *ALL[:4], "student", "english_ceiling", ALL[4]]
    assert [system.name for system in systems(run)] == order
    assert read_translations(run.path(translations_node(None))) == dict(
        zip(QUERIES, ["child water", "river Nile", "sun rain"], strict=True)
    )
    found, docids, depth = read_runs(run), list(PASSAGES), run.recipe.index.depth
    by_words = bm25_run(docids, list(PASSAGES.values()), dict(zip(QUERIES, ENGLISH, strict=True)), 0.9, 0.4, depth)
    assert found["bm25:lexicon"] == found["bm25:english"] == by_words
    assert len(found["bm25:query"]) == 0
    assert found["translate:lexicon"] == found["english_ceiling"] != found["zero_shot"]
    assert found[ALL[4]] == reciprocal_rank_fusion([found["student"], found["bm25:lexicon"]], 60, depth)
    assert (run.path(RUNS) / "fusion-student-bm25-lexicon.trec").is_file()


def test_a_translation_is_read_by_the_teacher_in_its_own_index(run):
    by_name = {system.name: system.made_by for system in systems(run)}
    opened = retriever(run, by_name["translate:lexicon"])
    assert opened.index.passages.docids == tuple(PASSAGES)


def test_a_topic_without_a_translation_finds_nothing(run, tmp_path):
    rows = [("q1", "Mtoto maji", "child\twater "), ("q2", "?", ""), ("q3", "jua", "sun")]
    write_translations(tmp_path / "other", "o" * 64, rows, {"by": "nobody"})
    run.places[translations_node(None)] = tmp_path / "other"
    (run.path(RUNS) / "translate-lexicon.trec").unlink()
    for ranking in run.shared.glob("ranking-*"):
        shutil.rmtree(ranking)
    RUNS.make(SimpleNamespace(workspace=run, work=lambda verb: nullcontext()), run.path(RUNS), "f" * 64)
    found = read_runs(run)["translate:lexicon"]
    assert set(found.rankings) == {"q1", "q3"}
