"""Finished runs beside each other: which runs are one system, what it is called, what is refused, and the page."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import ir_measures
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from optical import artefacts
from optical.artefacts import fingerprint, write_json
from optical.data.collections.qrels import Qrel
from optical.evaluation.comparison import compare
from optical.evaluation.runs import Run, ScoredDoc, write_qrels, write_run
from optical.objectives import pooled
from optical.objectives import sum as weighted_sum
from optical.recipe import Recipe, decisive
from optical.report.blocks import Paragraph
from pipelines.__main__ import main
from pipelines.cli.commands import CompareCommand
from pipelines.environment import Settings
from pipelines.groups import open_groups
from pipelines.recipes import recipe
from pipelines.verbs.compare import compare_groups
from tests.doors.recipes import changed

DEMO = recipe("demo")
GIVEN = replace(
    changed(DEMO, evaluation__pretrained=("dense:e5",)), teacher=replace(DEMO.teacher, weights="e5", scratch=None)
)
TOPICS = [f"q{number}" for number in range(30)]
QRELS = [Qrel(qid, f"d{place % 5}", 1) for place, qid in enumerate(TOPICS)]
SYSTEMS = {"zero_shot": 0.2, "dense:e5": 0.4, "student": 0.9, "english_ceiling": 0.95}


def ranked(strength: float, seed: int) -> Run:
    """A run that finds the relevant document first for a share of the topics, and otherwise anywhere."""
    draw, scored = random.Random(seed), []
    for qrel in QRELS:
        docs = [f"d{number}" for number in range(8)]
        draw.shuffle(docs)
        if draw.random() < strength:
            docs = [qrel.docid, *(doc for doc in docs if doc != qrel.docid)]
        scored += [ScoredDoc(qrel.qid, doc, -rank) for rank, doc in enumerate(docs)]
    return Run(scored)


def _collection(runs: Path, qrels: list[Qrel], name: str) -> str:
    identity = fingerprint(name)
    with artefacts.writing(runs / "shared" / f"collection-{identity[:12]}", "collection", identity) as folder:
        pq.write_table(pa.table({"qid": TOPICS}), folder / "topics.parquet")
        pq.write_table(pa.table({"docid": [f"d{number}" for number in range(8)]}), folder / "passages.parquet")
        write_qrels(folder / "qrels.txt", qrels)
    return identity


@pytest.fixture
def finished(tmp_path: Path) -> Callable[..., str]:
    """Writes the folder of a finished run and returns it; systems as by ``SYSTEMS``, the student by the seed."""
    identity = _collection(tmp_path, QRELS, "demo")

    def make(name: str, of: Recipe = GIVEN, student: float = 0.9, collection: str = identity, **origin: str) -> str:
        folder = tmp_path / name
        rankings = {
            system: ranked(student if system == "student" else strength, of.train.seed if system == "student" else 7)
            for system, strength in SYSTEMS.items()
        }
        for system, run in rankings.items():
            write_run(folder / "runs" / f"{system.replace(':', '-')}.trec", run, "optical")
        write_json(folder / "evaluation.json", compare(rankings, QRELS, of.evaluation).as_dict())
        record = {"recipe": of.as_dict(), "decisive": decisive(of), "fingerprint": fingerprint([of.as_dict(), origin])}
        write_json(folder / "run.json", record | {"origin": {"collection": collection, **origin}, "versions": {}})
        return str(folder)

    return make


@pytest.fixture
def study(finished: Callable) -> list[str]:
    """Two settings, the first with seeds 0 and 1, the second with seed 0."""
    return [
        finished("ot-0"),
        finished("ot-1", changed(GIVEN, train__seed=1)),
        finished("slow-0", changed(GIVEN, train__learning_rate=0.5), 0.5),
    ]


def _compared(words: list[str], out: Path, *flags: str) -> dict:
    assert main(["compare", *words, "--out", str(out), "--json", *flags]) == 0
    return json.loads((out / "comparison.json").read_text())


RATE = DEMO.train.learning_rate


def test_seeds_are_one_system_and_what_runs_share_is_shown_once(study, tmp_path, capsys):
    said = _compared(study, tmp_path / "out")
    assert json.loads(capsys.readouterr().out) == said
    names = [
        "zero_shot",
        "dense:e5",
        f"student (learning rate {RATE})",
        "student (learning rate 0.5)",
        "english_ceiling",
    ]
    assert sorted(said["systems"]) == sorted(names)
    assert [len(said["systems"][name]["seeds"]) for name in names] == [1, 1, 2, 1, 1]
    assert said["one_training"] == ["student (learning rate 0.5)"]
    assert (said["reference"], said["reference_chosen_as_strongest"]) == ("dense:e5", True)
    assert said["yardsticks"] == ["english_ceiling"]
    assert said["runs"][names[2]] == study[:2]


def test_two_trainings_of_equal_rankings_are_two_seeds(finished, tmp_path):
    runs = [finished("ot-0", student=1.0), finished("ot-1", changed(GIVEN, train__seed=1), student=1.0)]
    for name in ("evaluation.json", "runs/student.trec"):
        (tmp_path / "ot-1" / name).write_bytes((tmp_path / "ot-0" / name).read_bytes())
    said = _compared(runs, tmp_path / "out")
    assert len(said["systems"]["student"]["seeds"]) == 2 and said["one_training"] == []
    assert len(said["systems"]["zero_shot"]["seeds"]) == 1


def test_other_measures_are_another_comparison(finished, tmp_path):
    runs = [finished("a"), finished("b", changed(GIVEN, train__learning_rate=0.5), 0.5)]
    one = _compared(runs, tmp_path / "out")["fingerprint"]
    for folder in runs:
        record = json.loads((Path(folder) / "run.json").read_text())
        record["recipe"]["evaluation"]["measures"] = ["AP", "RR@10"]
        (Path(folder) / "run.json").write_text(json.dumps(record))
    assert _compared(runs, tmp_path / "out")["fingerprint"] != one


def test_means_are_those_of_ir_measures_alone(study, tmp_path):
    said = _compared(study, tmp_path / "out")
    qrels = list(ir_measures.read_trec_qrels(str(next(tmp_path.glob("shared/collection-*/qrels.txt")))))
    for name, folders in said["runs"].items():
        file = f"{name.split(' ')[0].replace(':', '-')}.trec"
        means = [
            ir_measures.calc_aggregate(
                [ir_measures.AP], qrels, list(ir_measures.read_trec_run(f"{folder}/runs/{file}"))
            )
            for folder in folders
        ]
        expected = sum(mean[ir_measures.AP] for mean in means) / len(means)
        assert said["systems"][name]["mean"] == pytest.approx(expected, abs=1e-9)
        assert said["means"][name]["AP"] == pytest.approx(expected, abs=1e-9)


def test_the_page_says_what_the_tests_leave_out(study, tmp_path, capsys):
    assert main(["compare", *study, "--runs-dir", str(tmp_path)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    page = (next(tmp_path.glob("compare-*")) / "comparison.md").read_text()
    for sentence in (
        f"student (learning rate {RATE}) has the largest MAP",
        "Not counted here, for it reads English translations by people: english_ceiling.",
        "Differences are to dense:e5. It was chosen because its MAP is the largest of the systems that no training",
        "One seed was measured of student (learning rate 0.5): how far its MAP changes",
        "corrected by Holm over all 10 pair(s) of systems, is below 0.05",
        "They say what other topics would show, and not what other trainings would show.".lower(),
    ):
        assert sentence in told or sentence in told.lower(), sentence
        assert sentence.lower() in page.replace("\\", "").lower(), sentence
    folder = next(tmp_path.glob("compare-*"))
    assert {file.name for file in folder.iterdir()} == {
        *("comparison.html", "comparison.md", "comparison.json", "comparison.png", "table.tex")
    }
    latex = (folder / "table.tex").read_text()
    assert rf"\textbf{{student (learning rate {RATE})}} & 2 & " in latex
    assert "30 topics" in latex and r"english\_ceiling & - & " in latex


def test_a_study_adds_blocks_to_the_page(study, tmp_path):
    command = CompareCommand(runs=tuple(study), settings=Settings(runs_dir=tmp_path), out=tmp_path / "page")
    found = compare_groups(open_groups(command.runs, command.settings), command, [Paragraph("What the study adds.")])
    assert "What the study adds." in found.page.with_suffix(".md").read_text()


def test_a_reader_names_systems_and_reference(study, tmp_path):
    words = [f"ours={tmp_path}/ot-*", f"slow={study[2]}"]
    said = _compared(words, tmp_path / "out", "--systems", "student", "zero_shot", "--reference", "student (slow)")
    assert sorted(said["systems"]) == ["student (ours)", "student (slow)", "zero_shot"]
    assert (said["reference"], said["reference_chosen_as_strongest"]) == ("student (slow)", False)


def test_other_data_are_another_system(finished, tmp_path):
    """The recipes differ in their seeds alone, and the files of sentence pairs have other bytes."""
    words = [finished("a", bitext="1" * 64), finished("b", changed(GIVEN, train__seed=1), bitext="2" * 64)]
    names = _compared(words, tmp_path / "out", "--systems", "student", "zero_shot")["systems"]
    assert set(names) == {"zero_shot", *(f"student (data of bitext {digit * 12})" for digit in "12")}


def test_settings_that_one_objective_lacks_are_in_no_name(finished, tmp_path):
    """Two settings of ot, and pooled, which has no epsilon."""
    words = [
        finished("a"),
        finished("b", changed(GIVEN, objective__epsilon=0.7), 0.5),
        finished("c", changed(GIVEN, objective=pooled.Config()), 0.6),
    ]
    names = _compared(words, tmp_path / "out", "--systems", "student", "zero_shot")["systems"]
    assert set(names) == {
        "zero_shot",
        f"student (objective ot, epsilon {DEMO.objective.epsilon})",
        "student (objective ot, epsilon 0.7)",
        "student (objective pooled)",
    }


@pytest.mark.parametrize("name", ["small", "ot(epsilon=0.1,epsilon_unit=mean_cost)", "ot(epsilon=0.1)+0.5*pooled"])
def test_a_name_may_have_fields_in_parentheses(name, finished, tmp_path):
    words = [f"{name}={finished('a')}", finished("b", changed(GIVEN, objective__epsilon=0.7), 0.5)]
    systems = _compared(words, tmp_path / "out")["systems"]
    assert f"student ({name})" in systems


def test_a_student_has_the_name_that_it_is_given_also_where_it_is_the_only_one(finished, tmp_path):
    assert "student (mine)" in _compared([f"mine={finished('a')}"], tmp_path / "out")["systems"]
    assert "student" in _compared([finished("b", changed(GIVEN, train__seed=3))], tmp_path / "other")["systems"]


def test_runs_of_two_protocols_of_the_users_own_are_not_seeds_of_one_system(finished, tmp_path):
    words = [finished("a"), finished("b", changed(GIVEN, train__seed=1))]
    for word, code in zip(words, "12", strict=True):
        record = json.loads((Path(word) / "run.json").read_text())
        record["decisive"]["evaluation"]["code"] = code
        write_json(Path(word) / "run.json", record)
    systems = _compared(words, tmp_path / "out")["systems"]
    assert {name for name in systems if name.startswith("student (")} == {
        "student (code of the protocol 1)",
        "student (code of the protocol 2)",
    }


def test_the_terms_of_a_sum_are_settings_each_of_its_own(finished, tmp_path):
    words = [
        finished("a", changed(GIVEN, objective=weighted_sum.Config(terms=("greedy", "0.5*pooled")))),
        finished("b", changed(GIVEN, objective=weighted_sum.Config(terms=("greedy", "0.25*pooled"))), 0.5),
    ]
    names = _compared(words, tmp_path / "out", "--systems", "student", "zero_shot")["systems"]
    assert set(names) == {"zero_shot", "student (weight 0.5)", "student (weight 0.25)"}


def test_a_seed_that_was_only_evaluated_again_counts_once(finished, tmp_path):
    words = [finished("a"), finished("b", changed(GIVEN, evaluation__resamples=500))]
    systems = _compared(words, tmp_path / "out")["systems"]
    assert len(systems["student"]["seeds"]) == 1


def test_folders_that_are_no_finished_runs_are_refused(finished, tmp_path, capsys):
    run = Path(finished("a"))
    (tmp_path / "empty").mkdir()

    def said(*words: str) -> str:
        assert main(["compare", *words]) in (2, 3)
        line = capsys.readouterr().err
        assert line.count("\n") == 1
        return line

    assert "compare: names no run" in said()
    assert "nowhere: no such folder" in said("nowhere")
    assert "empty: is no folder of a run: it has no run.json" in said(str(tmp_path / "empty"))
    assert "x=nothing-*: nothing matches" in said("x=nothing-*")
    assert "is the same run as" in said(str(run), str(run))
    (run / "runs" / "student.trec").rename(run / "student.trec")
    assert "this run is not finished: train has not been done; go on with: python -m pipelines train" in said(str(run))
    (run / "student" / "encoder").mkdir(parents=True)
    (run / "student" / "encoder" / "manifest.json").write_text("{}")
    assert "search has not been done" in said(str(run))
    (run / "student.trec").rename(run / "runs" / "student.trec")
    (run / "evaluation.json").rename(run / "kept.json")
    assert "evaluate has not been done" in said(str(run))
    (run / "evaluation.json").write_text("{")
    assert "evaluation.json: is no JSON" in said(str(run))


def test_a_damaged_ranking_is_refused(finished, capsys):
    run = Path(finished("a"))
    file = run / "runs" / "student.trec"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines)[:-20])
    assert main(["compare", str(run)]) == 3
    assert "fields where" in capsys.readouterr().err
    file.write_text("".join(line for line in lines if not line.startswith("q3 ")))
    assert main(["compare", str(run)]) == 3
    assert "student.trec: its AP is" in capsys.readouterr().err


def test_runs_that_cannot_stand_in_one_table_are_refused(finished, tmp_path, capsys):
    first = finished("a")
    judged = _collection(tmp_path, [*QRELS, Qrel("q0", "d7", 1)], "other")
    other = changed(GIVEN, train__seed=1)
    cases = [
        (finished("judged", other, collection=judged), "was measured with other judgements than"),
        (finished("measures", changed(other, evaluation__measures=("RR@10",))), "has the measures RR@10, and"),
        (finished("gone", other, collection="f" * 64), "collection-ffffffffffff: no collection here"),
    ]
    for run, expected in cases:
        assert main(["compare", first, run]) in (2, 3)
        assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--systems", "student"), "compare: finds one system only (student)"),
        (("--systems", "studnet"), "--systems: there is no system 'studnet'; did you mean student?"),
        (("--reference", "zero_shoot"), "--reference: there is no system 'zero_shoot'; did you mean zero_shot?"),
        (("--systems", "student", "english_ceiling"), "--reference: none of these systems was there before the runs"),
        (("--resamples", "10"), "resamples: is 10, and no p-value of 6 comparisons could then be below 0.05"),
    ],
)
def test_what_cannot_be_chosen_is_refused(finished, capsys, flags, said):
    assert main(["compare", finished("a"), *flags]) == 2
    assert said in capsys.readouterr().err


def test_one_name_for_two_settings_is_refused(study, tmp_path, capsys):
    assert main(["compare", f"ours={tmp_path}/*-0"]) == 2
    assert "differ in more than seeds (train.learning_rate: " in capsys.readouterr().err


def test_a_teacher_that_the_runs_train_is_no_usual_reference(finished, capsys):
    scratch = changed(DEMO, evaluation__pretrained=("dense:e5",))
    assert main(["compare", finished("a", scratch), "--systems", "zero_shot", "student"]) == 2
    assert "none of these systems was there before the runs" in capsys.readouterr().err
