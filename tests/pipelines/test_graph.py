"""The artefact graph: a toy artefact is made once, skipped afterwards, and made again when its own field changes."""

import fcntl

import pytest

from optical import artefacts
from pipelines.graph.node import Node, Step
from pipelines.graph.workspace import Workspace
from pipelines.recipes import recipe
from pipelines.session import Session
from pipelines.settings import Settings
from tests.doors.recipes import changed

DEMO = recipe("demo")


class Toy(Node):
    """Writes the number of times that it was made; ``field`` is the field of the training that decides it."""

    version = 1
    format = "toy"

    def __init__(self, kind, field, parents=()):
        self.kind, self.field, self.given, self.made = kind, field, parents, 0

    def made_from(self, workspace):
        return [*self.given, getattr(workspace.recipe.train, self.field)]

    def make(self, session, missing):
        self.made += 1
        path, made_from = session.workspace.path(self), session.workspace.fingerprint_of(self)
        with artefacts.writing(path, self.format, made_from) as scratch:
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


def test_making_is_locked_against_other_processes(settings, toys):
    held = []

    class Locked(Toy):
        def make(self, session, missing):
            path = session.workspace.path(self)
            with (path.parent / f".lock-{path.name}").open("a") as lock:
                with pytest.raises(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held.append(path)

    made(settings, [Locked("locked", "seed")])
    assert len(held) == 1


def test_a_failed_making_is_tried_again_in_the_same_session(settings, toys):
    class Failing(Toy):
        def make(self, session, missing):
            self.made += 1
            if self.made == 1:
                raise OSError

    failing = Failing("failing", "seed")
    with Session(Workspace(DEMO, settings)) as session:
        with pytest.raises(OSError):
            session.make(failing)
        session.make(failing)
        session.make(failing)
    assert failing.made == 2


def test_a_step_without_an_artefact_is_done_once_a_session_after_its_parents(settings, toys):
    done = []

    class Note(Step):
        after = toys

        def ensure(self, session):
            done.append([toy.made for toy in toys])

    note = Note()
    for number in (1, 2):
        with Session(Workspace(DEMO, settings)) as session:
            session.make(note, note)
            session.make(note)
        assert done == [[1, 1]] * number


def test_a_node_that_the_recipe_does_not_need_is_neither_a_part_nor_made(settings, toys):
    class Optional(Toy):
        def for_recipe(self, of):
            return self if of.teacher.cache else None

    optional = Optional("optional", "seed")
    child = Toy("user", "seed", [toys[0], optional])
    plain, cached = (Workspace(changed(DEMO, teacher__cache=on), settings) for on in (False, True))
    assert plain.order(child, optional) == [toys[0], child]
    assert cached.order(child, optional) == [toys[0], optional, child]
    assert (plain.has(optional), cached.has(optional)) == (False, True)
    assert plain.fingerprint_of(child) == artefacts.Fingerprint.of(
        "user", 1, plain.fingerprint_of(toys[0]), DEMO.train.seed
    )
