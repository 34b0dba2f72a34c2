"""The artefact graph: a toy artefact is made once, skipped afterwards, and made again when its own field changes."""

import fcntl

import pytest

from optical import artefacts
from pipelines.environment import Settings
from pipelines.graph.node import Node
from pipelines.graph.workspace import Workspace
from pipelines.recipes import recipe
from pipelines.session import Session
from tests.doors.recipes import changed

DEMO = recipe("demo")


class Toy(Node):
    """An artefact that is made from one field of the training, and counts how often it was made."""

    def __init__(self, kind, field, parents=(), **more):
        made_from = lambda workspace: [*parents, getattr(workspace.recipe.train, field)]  # noqa: E731
        super().__init__(kind=kind, version=1, made_from=made_from, make=self.write, **more)
        self.made = 0

    def write(self, session, path, made_from):
        self.made += 1
        with artefacts.writing(path, self.kind, made_from) as scratch:
            (scratch / "file").write_text(str(self.made))


@pytest.fixture
def toys():
    parent = Toy("parent", "batch_pairs")
    return parent, Toy("child", "seed", [parent])


@pytest.fixture
def settings(tmp_path):
    return Settings(runs_dir=tmp_path / "runs", cache=tmp_path / "cache", mirror=None)


def made(settings, toys, **fields):
    """How often each toy was made, after one session that wants the last of them."""
    with Session(Workspace(changed(DEMO, **fields), settings)) as session:
        session.make(toys[-1])
    return [toy.made for toy in toys]


def test_an_artefact_is_made_once_and_found_afterwards(settings, toys):
    assert made(settings, toys) == [1, 1]
    assert made(settings, toys) == [1, 1]
    folder = Workspace(DEMO, settings).path(toys[1])
    assert folder.parent == settings.runs_dir / "shared"
    assert folder.name.startswith("child-") and (folder / "file").read_text() == "1"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"train__seed": 7}, [1, 2]),
        ({"train__batch_pairs": 9}, [2, 2]),
        ({"train__epochs": 9, "objective__epsilon": 0.3}, [1, 1]),
    ],
)
def test_it_is_made_again_when_its_field_or_its_parent_changes_and_for_no_other_field(settings, toys, fields, expected):
    made(settings, toys)
    assert made(settings, toys, **fields) == expected
    assert made(settings, toys) == expected


def test_a_raised_version_makes_it_again(settings, toys):
    made(settings, toys)
    toys[1].version = 2
    assert made(settings, toys) == [1, 2]


def test_a_damaged_artefact_is_made_again_and_its_child_is_kept(settings, toys):
    made(settings, toys)
    (Workspace(DEMO, settings).path(toys[0]) / "file").write_text("damage")
    assert made(settings, toys) == [2, 1]


def test_every_artefact_is_verified_once_in_a_session(settings, toys, monkeypatch):
    made(settings, toys)
    hashed = []
    whole = artefacts.sha256_file
    monkeypatch.setattr(artefacts, "sha256_file", lambda path: hashed.append(path.parent.name) or whole(path))
    with Session(Workspace(DEMO, settings)) as session:
        for wanted in (*toys, *toys):
            session.make(wanted)
    assert sorted(name.split("-")[0] for name in hashed) == ["child", "parent"]


def test_making_is_locked_against_other_processes(settings):
    def write(session, path, made_from):
        with (path.parent / f".lock-{path.name}").open("a") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held.append(path.name)

    held = []
    with Session(Workspace(DEMO, settings)) as session:
        session.make(Node(kind="locked", version=1, make=write))
    assert [name.split("-")[0] for name in held] == ["locked"]


def test_a_failed_making_is_tried_again_in_the_same_session(settings):
    def write(session, path, made_from):
        tries.append(path)
        if len(tries) == 1:
            raise OSError

    tries, failing = [], Node(kind="failing", version=1, make=write)
    with Session(Workspace(DEMO, settings)) as session:
        with pytest.raises(OSError):
            session.make(failing)
        session.make(failing)
        session.make(failing)
    assert len(tries) == 2


def test_an_artefact_in_parts_is_looked_into_in_every_session_under_its_lock(settings):
    calls = []
    parts = Node(kind="parts", version=1, partial=True, make=lambda session, path, made_from: calls.append(path))
    for _ in range(2):
        with Session(Workspace(DEMO, settings)) as session:
            session.make(parts)
            session.make(parts)
    assert len(calls) == 2
    assert (calls[0].parent / f".lock-{calls[0].name}").exists()


def test_a_step_without_an_artefact_is_done_once_a_session_after_its_parents(settings, toys):
    done = []
    step = Node(kind="step", after=toys, make=lambda *_: done.append([toy.made for toy in toys]))
    for number in (1, 2):
        with Session(Workspace(DEMO, settings)) as session:
            session.make(step, step)
            session.make(step)
        assert done == [[1, 1]] * number


def test_parents_are_made_before_what_follows_from_them_is_read(settings, toys):
    def read(workspace):
        return [(workspace.path(toys[1]) / "file").read_text()]

    late = Node(kind="late", version=1, after=[toys[1]], made_from=read, make=lambda *_: None)
    with Session(Workspace(DEMO, settings)) as session:
        session.make(late)
        assert session.workspace.fingerprint_of(late) == artefacts.Fingerprint.of("late", 1, "1")


def test_a_node_that_a_recipe_does_not_need_is_neither_a_part_nor_made(settings, toys):
    optional = Toy("optional", "seed", needed=lambda recipe: recipe.teacher.cache)
    child = Toy("user", "seed", [toys[0], optional])
    plain, cached = (Workspace(changed(DEMO, teacher__cache=on), settings) for on in (False, True))
    assert list(plain.order(child, optional)) == [toys[0], child]
    assert list(cached.order(child, optional)) == [toys[0], optional, child]
    assert (plain.has(optional), cached.has(optional)) == (False, True)
    alone = artefacts.Fingerprint.of("user", 1, plain.fingerprint_of(toys[0]), DEMO.train.seed)
    assert plain.fingerprint_of(child) == alone != cached.fingerprint_of(child)


def test_a_node_may_take_the_place_of_another(settings, tmp_path):
    given = Node(kind="toy", made_from=lambda _: ["bytes"], folder=lambda _: tmp_path / "given")
    trained = Toy("toy", "seed", needed=lambda recipe: recipe.teacher.cache, otherwise=given)
    child = Toy("user", "epochs", [trained])
    with Session(Workspace(DEMO, settings)) as session:
        session.make(child)
        workspace = session.workspace
    assert trained.made == 0
    assert workspace.path(trained) == tmp_path / "given"
    assert workspace.fingerprint_of(trained) == artefacts.fingerprint(["toy", "bytes"])
    assert not list(tmp_path.glob(".lock-*"))
