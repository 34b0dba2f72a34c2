"""What pairs are compared with decides their fingerprint, and can be exempted; nothing is lost in silence."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from optical.data.collections import held_out
from optical.data.fetch import place, resolve
from optical.data.registry.entry import DataFile, DataSet
from optical.errors import DataError, UserError
from optical.recipe import Recipe
from pipelines.checks.faults import faults
from pipelines.checks.recipe import compared
from pipelines.cleaning import report_cleaning
from pipelines.environment import Settings
from pipelines.facts import _comparisons
from pipelines.graph.bitext import BITEXT, QUESTIONS
from pipelines.graph.workspace import Workspace
from pipelines.recipes import recipe
from pipelines.session import Session
from tests.doors.recipes import changed
from tests.streaming import stream_in_process

WORDS = ["moja", "mbili", "tatu", "nne", "tano", "sita", "saba", "nane", "tisa", "kumi"]
FIELD = "bitext.cleaning.exempt_collections"


def pair(number: int) -> tuple[str, str]:
    word = WORDS[number % 10]
    return f"hili ni neno la {word} namba {number}", f"this is the word of {word} with number {number}"


def pairs_file(path: Path, numbers: range, swapped: bool = False) -> str:
    path.write_text("".join("\t".join(pair(n)[:: -1 if swapped else 1]) + "\n" for n in numbers))
    return str(path)


def files_of(topics: range) -> dict[str, str]:
    """A collection with the pairs of these numbers as topics."""
    lines = "".join(f"q{n}\t{pair(n)[0]}\t{pair(n)[1]}\n" for n in topics)
    judged = "".join(f"q{n} 0 d1 1\n" for n in topics)
    return {"passages.tsv": "d1\tThe Nile flows north.\n", "topics.tsv": lines, "qrels.txt": judged}


OTHERS = {"other": files_of(range(5)), "english": files_of(range(100, 103))}


def entry(name: str, files: dict[str, str]) -> DataSet:
    """A registered collection with pinned files; of ``english`` the queries are English."""
    hashes = {file: hashlib.sha256(content.encode()).hexdigest() for file, content in files.items()}
    return DataSet(
        name=name,
        kind="collection",
        source="eng" if name == "english" else "swa",
        target="eng",
        reader="tables",
        origin=f"owner/{name}",
        commit="0" * 40,
        licence="CC0-1.0",
        attribution="nobody",
        files=tuple(DataFile(file, sha256, f"eval/{name}/{file}") for file, sha256 in hashes.items()),
    )


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two registered collections; streams without Ray."""
    monkeypatch.setattr(held_out, "datasets", lambda: {name: entry(name, files) for name, files in OTHERS.items()})
    monkeypatch.setattr(Session, "connect", lambda session: None)
    stream_in_process(monkeypatch)


@pytest.fixture
def made_by(tmp_path: Path) -> Recipe:
    """A recipe on files of a user, whose own collection has none of their pairs."""
    (tmp_path / "own").mkdir()
    for name, content in files_of(range(900, 902)).items():
        (tmp_path / "own" / name).write_text(content)
    return changed(
        recipe("demo"),
        bitext__datasets=(pairs_file(tmp_path / "pairs.tsv", range(12)),),
        evaluation__collection=str(tmp_path / "own"),
        teacher__scratch__pairs=(pairs_file(tmp_path / "questions.tsv", range(20), swapped=True),),
    )


def settings(folder: Path, *mirrored: str, at: str = "mirror") -> Settings:
    """A machine whose local mirror holds these collections."""
    for name in mirrored:
        (folder / at / "eval" / name).mkdir(parents=True, exist_ok=True)
        for file, content in OTHERS[name].items():
            (folder / at / "eval" / name / file).write_text(content)
    return Settings(runs_dir=folder / "runs", cache=folder / f"cache-{at}", mirror=str(folder / at))


@pytest.fixture
def without(tmp_path: Path) -> Settings:
    return settings(tmp_path, at="empty")


@pytest.fixture
def having(tmp_path: Path) -> Settings:
    return settings(tmp_path, "other")


def made(of: Recipe, on: Settings, node=BITEXT) -> Workspace:
    with Session(Workspace(of, on)) as session:
        session.make(node)
        return session.workspace


def exempting(of: Recipe, *names: str) -> Recipe:
    return changed(of, bitext__cleaning__exempt_collections=names)


def accepted(workspace: Workspace, node=BITEXT) -> int:
    return sum(workspace.info(node)["accepted"].values())


def page_of(workspace: Workspace) -> str:
    """The cleaning report, without the backslashes of Markdown."""
    return report_cleaning(workspace).read_text().replace("\\", "")


def test_two_machines_with_other_collections_have_two_names_and_the_pairs_of_each(
    made_by: Recipe, without: Settings, having: Settings
):
    one, other = made(made_by, without), made(made_by, having)
    assert one.fingerprint_of(BITEXT) != other.fingerprint_of(BITEXT)
    assert one.run_dir != other.run_dir
    assert (accepted(one), accepted(other)) == (12, 7)
    own = made_by.evaluation.collection
    facts = [[found.info(BITEXT)[key] for key in ("compared_with", "not_compared_with")] for found in (one, other)]
    away = dict.fromkeys(("other", "english"), "not available")
    assert facts == [[[own], away], [[own, "other"], {"english": "not available"}]]


def test_questions_are_compared_with_english_collections_alone(made_by: Recipe, tmp_path: Path, without: Settings):
    prints = [
        Workspace(made_by, on).fingerprint_of(QUESTIONS)
        for on in (without, settings(tmp_path, "other"), settings(tmp_path, "english", at="english"))
    ]
    assert prints[0] == prints[1] != prints[2]


def test_one_mirror_at_two_paths_is_one_name(made_by: Recipe, tmp_path: Path):
    here, there = (Workspace(made_by, settings(tmp_path, "other", at=at)) for at in ("here", "there"))
    assert here.fingerprint == there.fingerprint
    cached = settings(tmp_path, "other", at="here")
    resolve.resolve(entry("other", OTHERS["other"]), cached.cache, cached.mirror)
    assert Workspace(made_by, replace(cached, mirror=None)).fingerprint == here.fingerprint


def test_other_bytes_of_a_collection_are_another_name(
    made_by: Recipe, having: Settings, monkeypatch: pytest.MonkeyPatch
):
    before = Workspace(made_by, having).fingerprint_of(BITEXT)
    monkeypatch.setitem(OTHERS, "other", files_of(range(6)))
    assert Workspace(made_by, having).fingerprint_of(BITEXT) != before


def test_a_name_reads_no_file_of_a_pinned_collection(
    made_by: Recipe, having: Settings, monkeypatch: pytest.MonkeyPatch
):
    for module in (resolve, place):
        monkeypatch.setattr(module, "sha256_file", lambda path: pytest.fail(f"read {path}"))
    assert Workspace(made_by, having).fingerprint
    assert not having.cache.exists()


def test_what_is_made_agrees_with_its_name_when_a_collection_arrives_meanwhile(
    made_by: Recipe, tmp_path: Path, without: Settings
):
    with Session(Workspace(made_by, without)) as session:
        settings(tmp_path, "other", at="empty")
        session.make(BITEXT)
        assert accepted(session.workspace) == 12
        assert "other" in session.workspace.info(BITEXT)["not_compared_with"]


def test_without_the_comparison_no_collection_is_in_the_name(made_by: Recipe, without: Settings, having: Settings):
    off = changed(made_by, bitext__cleaning__drop_test_leaks=False)
    assert (
        len({Workspace(of, on).fingerprint for of in (off, exempting(off, "other")) for on in (without, having)}) == 1
    )


def test_an_exempted_collection_keeps_its_pairs_and_gives_another_name(
    made_by: Recipe, without: Settings, having: Settings
):
    exempted = made(exempting(made_by, "other"), having)
    assert accepted(exempted) == 12
    names = {Workspace(of, on).fingerprint for of, on in ((made_by, without), (made_by, having))}
    assert exempted.fingerprint not in names
    why = f"exempted by {FIELD}, so its texts may be among the pairs"
    assert exempted.info(BITEXT)["not_compared_with"] == {"other": why, "english": "not available"}
    made(exempting(made_by, "other"), having, QUESTIONS)
    page = page_of(exempted)
    assert f"Not compared with other: {why}." in page
    told = _comparisons(exempted, str)
    assert f"other ({why})" in told[0]
    assert told[1].startswith("The question-passage pairs of the teacher were compared with the test collections ")


def test_a_comparison_that_is_off_is_told(made_by: Recipe, having: Settings):
    off = changed(made_by, bitext__cleaning__drop_test_leaks=False)
    workspace = made(off, having)
    made(off, having, QUESTIONS)
    assert accepted(workspace) == 12
    page = page_of(workspace)
    assert page.count("Not compared with any test collection: bitext.cleaning.drop_test_leaks is off.") == 2
    told = _comparisons(workspace, str)
    assert [line.partition(" were ")[2] for line in told] == [
        "not compared with any test collection (bitext.cleaning.drop_test_leaks is off)."
    ] * 2
    assert "with no test collection" in next(compared(off, having)).seen


def test_doctor_says_what_pairs_are_compared_with_on_this_machine(made_by: Recipe, having: Settings):
    own = made_by.evaluation.collection
    seen = f"the pairs are compared with {own}, other; not with english (not available)"
    assert [finding.seen for finding in compared(made_by, having)] == [seen]


def test_the_page_counts_leaks_by_collection(made_by: Recipe, having: Settings, tmp_path: Path):
    workspace = made(made_by, having)
    made(made_by, having, QUESTIONS)
    assert workspace.info(BITEXT)["leaks"] == {f"{tmp_path}/pairs.tsv": {"other": 5}}
    line = f"The contaminated pairs of {tmp_path}/pairs.tsv occur in test collections: 5 in other."
    assert line in page_of(workspace)


def lost(where: str, collection: str, count: int) -> str:
    return (
        f"{where}: no pair was accepted\n"
        f"  contaminated   {count:>9,} 100.0%  first at 0         a side occurs in a test collection of the query "
        f"language\n    in {collection} {count}; "
        f"leave it out, or name in {FIELD} a collection that this run is not tested on"
    )


@pytest.mark.parametrize("several", [False, True])
def test_a_data_set_that_leaks_whole_stops_the_run(made_by: Recipe, having: Settings, tmp_path: Path, several: bool):
    leaking = pairs_file(tmp_path / "leaking.tsv", range(5))
    specs = (*made_by.bitext.datasets, leaking) if several else (leaking,)
    if several:
        pairs_file(tmp_path / "pairs.tsv", range(50, 60))
    of = changed(made_by, bitext__datasets=specs)
    with pytest.raises(DataError) as stopped:
        made(of, having)
    assert str(stopped.value) == lost(leaking, "other", 5)
    assert accepted(made(exempting(of, "other"), having)) == (15 if several else 5)


def test_question_passage_pairs_that_leak_whole_stop_the_run(made_by: Recipe, tmp_path: Path):
    leaking = pairs_file(tmp_path / "leaking.tsv", range(100, 103), swapped=True)
    of, on = changed(made_by, teacher__scratch__pairs=(leaking,)), settings(tmp_path, "english")
    with pytest.raises(DataError) as stopped:
        made(of, on, QUESTIONS)
    assert str(stopped.value) == lost(leaking, "english", 3)
    assert accepted(made(exempting(of, "english"), on, QUESTIONS), QUESTIONS) == 3


def test_the_own_collection_cannot_be_exempted(made_by: Recipe, having: Settings):
    own = made_by.evaluation.collection
    with pytest.raises(UserError) as refused:
        Session(Workspace(exempting(made_by, own), having))
    what = f"names {own}, on which this run is tested: a student that saw its texts would be measured too well"
    assert str(refused.value) == f"{FIELD}: {what}; leave it out, or set another evaluation.collection"


@pytest.mark.parametrize(("name", "advice"), [("othre", "did you mean other?"), ("x", "choose from other, english")])
def test_only_what_is_compared_can_be_exempted(made_by: Recipe, name: str, advice: str):
    found = [str(fault) for fault in faults(exempting(made_by, "other", name), None)]
    assert found == [f"{FIELD}: names {name}, which is no test collection that these pairs are compared with; {advice}"]


def test_a_named_run_is_not_continued_with_another_comparison(made_by: Recipe, without: Settings, having: Settings):
    of = [replace(on, run_name="mine") for on in (without, having)]
    with Session(Workspace(made_by, of[0])):
        pass
    with (
        pytest.raises(UserError, match=r"compared with other test collections \(now also with other\); give this run"),
        Session(Workspace(made_by, of[1])),
    ):
        pass
    path = without.runs_dir / "mine" / "run.json"
    known = json.loads(path.read_text())
    assert known.pop("compared_with") == []
    path.write_text(json.dumps(known))
    with pytest.raises(UserError, match=r"\(it does not say which\)"), Session(Workspace(made_by, of[1])):
        pass


def test_a_run_that_begins_anew_says_why(
    made_by: Recipe, without: Settings, having: Settings, capsys: pytest.CaptureFixture[str]
):
    with Session(Workspace(made_by, having)) as first:
        assert "is of the same recipe" not in capsys.readouterr().err
    with Session(Workspace(made_by, without)) as second:
        said = capsys.readouterr().err
    why = "its pairs were compared with other test collections (no longer with other)"
    assert f"{first.run_dir} is of the same recipe, and {why}; {second.run_dir.name} is a new run" in said
    (second.run_dir / "run.json").write_text("damaged")
    with Session(Workspace(changed(made_by, train__seed=7), without)):
        assert "is of the same recipe" not in capsys.readouterr().err


def test_a_damaged_collection_stops_the_run_because_its_name_promises_the_comparison(
    made_by: Recipe, having: Settings, tmp_path: Path
):
    (tmp_path / "mirror" / "eval" / "other" / "qrels.txt").write_text("damaged")
    with pytest.raises(DataError, match=rf"the registry promises .*, or name other in {FIELD}$"):
        made(made_by, having)
