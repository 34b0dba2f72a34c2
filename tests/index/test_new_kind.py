"""A new kind of index is one file: found by its name, built, opened, searched, and part of a run's identity."""

import sys
from pathlib import Path

import pytest
import torch

from optical.components import config_class, names
from optical.errors import UserError
from optical.index import kinds
from optical.index.retriever import Retriever
from optical.model.encoder import Encoder
from optical.model.head import Dense
from pipelines.environment import Settings
from pipelines.graph.passages import CANDIDATES, EMBEDDINGS
from pipelines.graph.runs import RUNS
from pipelines.graph.student import STUDENT
from pipelines.graph.workspace import Workspace
from pipelines.recipes import recipe
from tests.doors.recipes import changed

PACKAGE = "optical.index.kinds"
FIRST = '''
"""Search among the first passages alone."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from optical.errors import require
from optical.index.kinds.base import IndexConfig


@dataclass(frozen=True, kw_only=True)
class Config(IndexConfig):
    """MaxSim over the first passages."""

    builds: ClassVar[bool] = True

    search: Literal["first"] = "first"
    """Kind of index."""
    count: int = 5
    """Passages that are scored."""

    def made_from(self):
        return [self.search, self.count]

    def check(self, dim, tokens=None):
        require(tokens is None or tokens >= self.count, "index.count", f"is {self.count}", "set fewer")

    def build(self, passages, folder):
        np.save(folder / "first.npy", np.arange(len(passages.docids))[: self.count])

    def open(self, passages, folder=None, use_gpu=False):
        return First(passages, np.load(folder / "first.npy"))


class First:
    def __init__(self, passages, chosen):
        self.passages, self.chosen = passages, chosen

    def scores(self, queries):
        from optical.index.scoring import MaxSim

        scores = np.full((len(queries), len(self.passages.docids)), -np.inf, np.float32)
        scores[:, self.chosen] = MaxSim(self.passages).scores(queries, self.chosen)
        return scores
'''


@pytest.fixture
def first(tmp_path, monkeypatch) -> type:
    """The configuration of a kind whose file was added to the package."""
    folder = tmp_path / "more_kinds"
    folder.mkdir()
    (folder / "first.py").write_text(FIRST)
    monkeypatch.setattr(kinds, "__path__", [*kinds.__path__, str(folder)])
    yield config_class(PACKAGE, "first", "index.search")
    sys.modules.pop(f"{PACKAGE}.first", None)


def test_its_file_is_enough_to_find_it(first):
    assert "first" in names(PACKAGE)
    with pytest.raises(UserError, match="index.search: is 'furst'; did you mean first?"):
        config_class(PACKAGE, "furst", "index.search")


def test_it_is_built_and_searched(first, written, encoder, tmp_path: Path):
    config = first(count=3)
    config.build(written, tmp_path)
    encoder = _of_dim(encoder, written.tokens.shape[1])
    run = Retriever(encoder, 8, config.open(written, tmp_path), 50).run(["q"], ["sun"])
    assert sorted(run.docids("q")) == ["d0", "d1", "d2"]


def test_its_fields_decide_what_is_built_and_the_run(first, tmp_path):
    settings = Settings(runs_dir=tmp_path / "runs", cache=tmp_path / "cache", mirror=None)
    demo = recipe("demo")
    chosen = changed(demo, index__search="first")
    assert chosen.index == first(depth=demo.index.depth)
    exact, one, other = (Workspace(of, settings) for of in (demo, chosen, changed(chosen, index__count=9)))
    assert one.path(EMBEDDINGS) == other.path(EMBEDDINGS) == exact.path(EMBEDDINGS)
    assert one.path(CANDIDATES) != other.path(CANDIDATES)
    assert len({exact.fingerprint, one.fingerprint, other.fingerprint}) == 3


def test_every_field_of_a_kind_decides_what_is_built_unless_it_says_otherwise(first, tmp_path, monkeypatch):
    settings = Settings(runs_dir=tmp_path / "runs", cache=tmp_path / "cache", mirror=None)
    monkeypatch.delattr(first, "made_from")
    one, other = (Workspace(changed(recipe("demo"), index__search="first", index__count=n), settings) for n in (5, 9))
    assert one.path(CANDIDATES) != other.path(CANDIDATES)


def test_a_raised_version_of_a_component_makes_anew_what_it_decides(first, tmp_path, monkeypatch):
    settings = Settings(runs_dir=tmp_path / "runs", cache=tmp_path / "cache", mirror=None)
    chosen = changed(recipe("demo"), index__search="first")
    old = Workspace(chosen, settings)
    before = [old.fingerprint_of(node) for node in (EMBEDDINGS, CANDIDATES, STUDENT, RUNS)]
    monkeypatch.setattr(first, "version", 2)
    new = Workspace(chosen, settings)
    after = [new.fingerprint_of(node) for node in (EMBEDDINGS, CANDIDATES, STUDENT, RUNS)]
    assert [one == two for one, two in zip(before, after, strict=True)] == [True, False, True, False]
    monkeypatch.setattr(type(chosen.objective), "version", 2)
    assert Workspace(chosen, settings).fingerprint_of(STUDENT) != before[2]


def _of_dim(encoder: Encoder, dim: int) -> Encoder:
    """The encoder with a projection to ``dim``."""
    head = torch.nn.Sequential(Dense(encoder.backbone.config.hidden_size, dim))
    return Encoder(encoder.backbone, encoder.reader, head).eval()
