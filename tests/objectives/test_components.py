"""A new objective is one file: a toy one is added to the package, chosen by name, and trains a student."""

import dataclasses
import sys
from textwrap import dedent

import pytest

from optical import components, objectives
from optical.errors import UserError
from optical.objectives import contrastive
from optical.recipe import Recipe, ScratchConfig
from optical.tracking.journal import rows
from optical.train.config import TrainConfig
from pipelines.recipes import recipe
from tests.train.ranks import train

TOY = dedent(
    '''
    """Pull the mean of the student's token embeddings towards the teacher's mean."""

    from dataclasses import dataclass

    from optical.objectives.base import Losses, Objective, ObjectiveConfig


    @dataclass(frozen=True, kw_only=True)
    class Config(ObjectiveConfig):
        name: str = "means"
        scale: float = 1.0

        def build(self, teacher):
            return Means(teacher, self.scale)


    class Means(Objective):
        def __init__(self, teacher, scale):
            super().__init__(teacher)
            self.scale = scale

        def losses(self, encoder, batch):
            source = encoder(batch.source.ids, batch.source.mask)
            sides = ((source, batch.source.mask), (self.targets(encoder, batch), batch.target.mask))
            one, other = ((side * mask.unsqueeze(2)).sum(1) / mask.sum(1, keepdim=True) for side, mask in sides)
            return Losses(self.scale * (one - other).square().sum(1))
    '''
)


@pytest.fixture
def toy(tmp_path, monkeypatch) -> type:
    """The configuration of a toy objective whose file lies in the package."""
    (tmp_path / "means.py").write_text(TOY)
    monkeypatch.setattr(objectives, "__path__", [*objectives.__path__, str(tmp_path)])
    yield components.config_class("optical.objectives", "means", "objective.name")
    sys.modules.pop("optical.objectives.means")


def test_the_file_alone_makes_an_objective_that_trains(toy, new_job, tmp_path):
    known = components.names("optical.objectives")
    assert "means" in known
    assert not [name for name in known if name == "base" or name.startswith("_")]
    job = dataclasses.replace(new_job(epochs=4), objective=toy(scale=2.0))
    train(job)
    steps = [row["loss"] for row in rows(job.journal) if row["event"] == "step"]
    assert steps[-1] < steps[0] / 2
    assert [row["dev_mrr"] for row in rows(job.journal) if row["event"] == "dev"]


def test_an_unknown_objective_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match=r"^objective.name: is 'contrastiv'; did you mean contrastive\?"):
        components.config_class("optical.objectives", "contrastiv", "objective.name")
    with pytest.raises(UserError, match="choose one of: .*contrastive, .*ot"):
        components.config_class("optical.objectives", "zzz", "objective.name")


def test_a_student_learns_from_the_contrastive_objective_too(new_job):
    job = dataclasses.replace(new_job(epochs=6), objective=contrastive.Config())
    train(job)
    steps = [row for row in rows(job.journal) if row["event"] == "step"]
    assert steps[-1]["in_batch_accuracy"] > steps[0]["in_batch_accuracy"]
    assert {row["stage"] for row in steps} == {"student"}


def test_an_objective_that_compares_pairs_takes_no_parts_of_a_batch():
    demo: Recipe = recipe("demo")
    train_config = dataclasses.replace(demo.train, accumulate=2)
    dataclasses.replace(demo, train=train_config)
    with pytest.raises(UserError, match=r"^train.accumulate: is 2, and the objective contrastive compares"):
        dataclasses.replace(demo, train=train_config, objective=contrastive.Config())
    with pytest.raises(UserError, match=r"^teacher.scratch.train.accumulate: is 2"):
        ScratchConfig(pairs=("toy",), train=TrainConfig(accumulate=2))
