"""Fingerprints: what changes them, what does not, and who owns a run folder."""

import zipfile
from dataclasses import replace

import pytest

from optical.data.bitext import sources
from optical.data.registry.datasets import datasets
from optical.errors import DataError, UserError
from pipelines.__main__ import main
from pipelines.environment import Settings
from pipelines.graph import bitext
from pipelines.graph.bitext import BITEXT
from pipelines.graph.collection import COLLECTION
from pipelines.graph.passages import EMBEDDINGS
from pipelines.graph.student import STUDENT, TOKENS, student_job, teacher_cache
from pipelines.graph.teacher import TEACHER
from pipelines.graph.workspace import Workspace
from pipelines.recipes import recipe
from pipelines.session import Session


@pytest.fixture
def settings(tmp_path):
    return Settings(runs_dir=tmp_path / "runs", cache=tmp_path / "cache", mirror=None)


def _with(section, **changes):
    base = recipe("demo")
    return replace(base, **{section: replace(getattr(base, section), **changes)})


def test_equal_recipes_share_everything(settings):
    assert Workspace(recipe("demo"), settings).fingerprint == Workspace(recipe("demo"), settings).fingerprint


def test_epsilon_changes_the_student_and_nothing_before_it(settings):
    base = Workspace(recipe("demo"), settings)
    other = Workspace(_with("objective", epsilon=0.2), settings)
    assert other.fingerprint_of(STUDENT) != base.fingerprint_of(STUDENT)
    assert other.fingerprint != base.fingerprint
    for shared in (BITEXT, COLLECTION, TEACHER, TOKENS, EMBEDDINGS):
        assert other.fingerprint_of(shared) == base.fingerprint_of(shared)


@pytest.mark.parametrize(
    ("section", "changes"), [("student", {"word_embeddings": "freeze"}), ("train", {"embedding_rate": 0.1})]
)
def test_how_word_embeddings_are_trained_changes_the_student_and_nothing_before_it(settings, section, changes):
    base, other = Workspace(recipe("demo"), settings), Workspace(_with(section, **changes), settings)
    assert other.fingerprint_of(STUDENT) != base.fingerprint_of(STUDENT)
    for shared in (TEACHER, TOKENS, EMBEDDINGS):
        assert other.fingerprint_of(shared) == base.fingerprint_of(shared)
    job = student_job(other, other.run_dir)
    assert job.word_embeddings == other.recipe.student.word_embeddings


def test_a_teacher_cache_changes_the_student_and_nothing_before_it(settings):
    base = Workspace(recipe("demo"), settings)
    cached = Workspace(_with("teacher", cache=True), settings)
    assert cached.fingerprint_of(STUDENT) != base.fingerprint_of(STUDENT)
    assert cached.fingerprint_of(EMBEDDINGS) == base.fingerprint_of(EMBEDDINGS)
    assert teacher_cache(cached) == teacher_cache(base)


def test_a_teacher_cache_is_of_one_teacher_its_tokens_and_their_length(settings):
    base = teacher_cache(Workspace(recipe("demo"), settings))
    for same in (_with("objective", epsilon=0.2), _with("train", learning_rate=1e-5, epochs=9)):
        assert teacher_cache(Workspace(same, settings)) == base
    scratch = replace(recipe("demo").teacher.scratch, dim=32)
    for other in (_with("train", target_length=20), _with("bitext", max_pairs=9), _with("teacher", scratch=scratch)):
        assert teacher_cache(Workspace(other, settings)).fingerprint != base.fingerprint


@pytest.mark.parametrize("cadence", ["checkpoint_steps", "dev_steps"])
def test_how_often_training_is_looked_at_does_not_change_the_student(settings, cadence):
    base = Workspace(recipe("demo"), settings)
    assert Workspace(_with("train", **{cadence: 7}), settings).fingerprint_of(STUDENT) == base.fingerprint_of(STUDENT)


def test_a_local_file_is_known_by_its_bytes(settings, tmp_path):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("maji\twater\n")
    before = Workspace(_with("bitext", datasets=(str(pairs),)), settings).fingerprint_of(BITEXT)
    moved = tmp_path / "moved.tsv"
    moved.write_text("maji\twater\n")
    assert Workspace(_with("bitext", datasets=(str(moved),)), settings).fingerprint_of(BITEXT) == before
    moved.write_text("maji\tfire\n")
    assert Workspace(_with("bitext", datasets=(str(moved),)), settings).fingerprint_of(BITEXT) != before


def test_a_local_file_is_hashed_once_for_its_name_and_for_its_making(settings, tmp_path, monkeypatch):
    (tmp_path / "pairs.tsv").write_text("maji\twater\n")
    hashed, whole = [], sources.sha256_file
    monkeypatch.setattr(sources, "sha256_file", lambda path: hashed.append(path.name) or whole(path))
    workspace = Workspace(_with("bitext", datasets=(f"{tmp_path}/pairs.tsv",)), settings)
    assert workspace.fingerprint and list(workspace.order(BITEXT))
    assert bitext._opened(f"{tmp_path}/pairs.tsv", workspace).paths == (tmp_path / "pairs.tsv",)
    assert hashed == ["pairs.tsv"]


def test_other_bytes_of_an_unpinned_origin_are_another_bitext(settings, tmp_path):
    entry = next(entry for entry in datasets().values() if [file.sha256 for file in entry.files] == [None])
    fingerprints = set()
    for number, content in enumerate((b"first", b"second", b"first")):
        file = tmp_path / f"mirror-{number}" / entry.files[0].mirror
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        here = replace(settings, cache=tmp_path / f"cache-{number}", mirror=str(tmp_path / f"mirror-{number}"))
        recipes = [
            _with("bitext", datasets=(entry.name,), source=entry.source),
            _with("evaluation", collection=entry.name),
        ]
        for settings in (here, replace(here, mirror=None)):
            one, other = (Workspace(of, settings) for of in recipes)
            fingerprints.add((one.fingerprint_of(BITEXT), other.fingerprint))
    assert len(fingerprints) == 2


def test_a_missing_file_is_a_data_error(settings, capsys):
    with pytest.raises(DataError, match=r"nowhere\.tsv"):
        _ = Workspace(_with("bitext", datasets=("nowhere.tsv",)), settings).fingerprint_of(BITEXT)
    assert main(["prepare", "demo", "--bitext.datasets", "nowhere.tsv"]) == 3


def test_a_name_that_belongs_to_another_recipe_is_refused_with_the_differences(settings):
    named = replace(settings, run_name="mine")
    with Session(Workspace(recipe("demo"), named)):
        pass
    with (
        pytest.raises(UserError, match=r"objective\.epsilon: 0\.1 -> 0\.2"),
        Session(Workspace(_with("objective", epsilon=0.2), named)),
    ):
        pass


def test_the_same_recipe_comes_back_to_its_run(settings):
    for _ in range(2):
        with Session(Workspace(recipe("demo"), settings)) as session:
            assert (session.run_dir / "run.json").is_file()


def test_two_owners_are_one_too_many(settings):
    with (
        Session(Workspace(recipe("demo"), settings)),
        pytest.raises(UserError, match="is at work in this run"),
        Session(Workspace(recipe("demo"), settings)),
    ):
        pass


def test_a_teacher_folder_without_weights_is_refused(settings, tmp_path, capsys):
    (tmp_path / "teacher").mkdir()
    flags = ["--teacher.weights", str(tmp_path / "teacher"), "--runs-dir", str(settings.runs_dir)]
    assert main(["run", "swahili_minilm", *flags]) == 3
    assert "config.json" in capsys.readouterr().err


def test_two_members_of_one_zip_are_two_sources(settings, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.tsv", "maji\twater\n")
        archive.writestr("b.tsv", "moto\tfire\n")
    one, other = (
        Workspace(_with("bitext", datasets=(f"{tmp_path}/x.zip!{name}.tsv",)), settings).fingerprint_of(BITEXT)
        for name in "ab"
    )
    assert one != other


def test_time_is_kept_of_work_that_was_interrupted(settings, monkeypatch):
    monkeypatch.setattr(Session, "connect", lambda session: None)
    with Session(Workspace(recipe("demo"), settings)) as session:
        with pytest.raises(KeyboardInterrupt), session.work("train"):
            raise KeyboardInterrupt
        assert "train" in session.seconds


def test_doctor_says_what_is_bad_and_exits_with_it(settings, tmp_path, capsys):
    flags = ["--teacher.weights", str(tmp_path / "none"), "--cache", str(tmp_path)]
    assert main(["doctor", "swahili_minilm", *flags]) == 2
    said = capsys.readouterr()
    assert "BAD  teacher" in said.out
    assert "teacher" in said.err
