"""Recipes: frozen, complete, and every impossible value is refused by name."""

import dataclasses
import json
import math

import pytest

from optical.data.bitext.config import BitextConfig
from optical.errors import UserError
from optical.evaluation.protocols.crosslingual import Config as EvaluationConfig
from optical.index.kinds import exact, faiss
from optical.objectives.ot import Config as OTConfig
from optical.recipe import Recipe, ScratchConfig, StudentConfig, TeacherConfig, differences
from optical.resources import Resources
from optical.train.config import TrainConfig

BITEXT = {"datasets": ("toy",)}
BAD = [
    (BitextConfig, {"datasets": ()}, "bitext.datasets"),
    (BitextConfig, BITEXT | {"dev_pairs": 1}, "bitext.dev_pairs"),
    (BitextConfig, BITEXT | {"max_characters": 0}, "bitext.max_characters"),
    (BitextConfig, BITEXT | {"max_length_ratio": 0.5}, "bitext.max_length_ratio"),
    (BitextConfig, BITEXT | {"max_reject_share": -0.1}, "bitext.max_reject_share"),
    (BitextConfig, BITEXT | {"max_reject_share": 1.1}, "bitext.max_reject_share"),
    *((TrainConfig, {name: 0}, f"train.{name}") for name in ("epochs", "batch_pairs", "batch_tokens")),
    *((TrainConfig, {name: 0}, f"train.{name}") for name in ("checkpoint_steps", "dev_steps")),
    *((TrainConfig, {name: -0.1}, f"train.{name}") for name in ("learning_rate", "max_grad_norm")),
    (TrainConfig, {"learning_rate": math.nan}, "train.learning_rate"),
    (TrainConfig, {"source_length": 3}, "train.source_length"),
    (TrainConfig, {"target_length": 3}, "train.target_length"),
    (TrainConfig, {"warmup_share": 1.0}, "train.warmup_share"),
    (TrainConfig, {"warmup_share": -0.1}, "train.warmup_share"),
    (TeacherConfig, {"weights": "scratch"}, "teacher.weights"),
    (TeacherConfig, {"scratch": ScratchConfig(pairs=("toy",))}, "teacher.weights"),
    *((TrainConfig, {name: 0.0}, f"train.{name}") for name in ("embedding_rate", "head_rate", "layer_decay")),
    (TrainConfig, {"layer_decay": 1.1}, "train.layer_decay"),
    (StudentConfig, {"vocabulary": -1}, "student.vocabulary"),
    (StudentConfig, {"layers": -1}, "student.layers"),
    (OTConfig, {"epsilon": 0.0}, "objective.epsilon"),
    (OTConfig, {"epsilon": -1.0}, "objective.epsilon"),
    (OTConfig, {"epsilon": math.nan}, "objective.epsilon"),
    (OTConfig, {"epsilon": math.inf}, "objective.epsilon"),
    (OTConfig, {"penalty": math.inf}, "objective.penalty"),
    (OTConfig, {"tolerance": math.inf}, "objective.tolerance"),
    (OTConfig, {"order_weight": math.inf}, "objective.order_weight"),
    (OTConfig, {"tolerance": -1e-3}, "objective.tolerance"),
    (OTConfig, {"mass": 1.5}, "objective.mass"),
    (OTConfig, {"marginals": "attention"}, "objective.marginals"),
    (OTConfig, {"marginals": "given"}, "objective.marginals"),
    (OTConfig, {"method": "ipot", "gradient": "implicit"}, "objective.gradient"),
    (OTConfig, {"max_iterations": 0}, "objective.max_iterations"),
    (faiss.Config, {"num_probes": 0}, "index.num_probes"),
    (faiss.Config, {"tokens_per_probe": 0}, "index.tokens_per_probe"),
    (exact.Config, {"depth": 0}, "index.depth"),
    (faiss.Config, {"depth": 0}, "index.depth"),
    (Resources, {"num_workers": 0}, "num_workers"),
    (Resources, {"threads": -1}, "threads"),
]


@pytest.fixture
def recipe():
    return Recipe(
        name="toy",
        bitext=BitextConfig(datasets=("a", "b")),
        teacher=TeacherConfig(weights="scratch", scratch=ScratchConfig(pairs=("questions",))),
        evaluation=EvaluationConfig(collection="toy"),
    )


@pytest.mark.parametrize(("section", "values", "name"), BAD, ids=lambda value: str(value))
def test_an_impossible_value_is_refused_by_name(section, values, name):
    with pytest.raises(UserError) as caught:
        section(**values)
    where, what, advice = caught.value.args
    assert where == name
    assert what
    assert advice


def test_a_word_that_the_type_excludes_is_refused_where_types_are_not_checked():
    config = object.__new__(StudentConfig)
    object.__setattr__(config, "word_embeddings", "some")
    with pytest.raises(UserError, match="^student.word_embeddings: is 'some'; choose from train, freeze"):
        config.__post_init__()


def test_the_message_shows_the_value():
    with pytest.raises(UserError, match="^objective.epsilon: is -0.5; set a finite number above 0, such as 0.1"):
        OTConfig(epsilon=-0.5)


def test_a_changed_copy_is_checked_too():
    with pytest.raises(UserError, match="train.epochs"):
        dataclasses.replace(TrainConfig(), epochs=0)


def test_every_section_is_frozen(recipe):
    for section in (recipe, *(getattr(recipe, field.name) for field in dataclasses.fields(recipe))):
        if dataclasses.is_dataclass(section):
            name = dataclasses.fields(section)[0].name
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(section, name, None)


def test_as_dict_survives_json(recipe):
    plain = recipe.as_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["bitext"]["datasets"] == ["a", "b"]
    assert plain["teacher"]["scratch"]["train"]["epochs"] == 1
    assert set(plain) == {field.name for field in dataclasses.fields(Recipe)}


def test_no_resource_is_part_of_a_recipe(recipe):
    resources = {field.name for field in dataclasses.fields(Resources)}
    assert not resources & set(recipe.as_dict())


def test_differences_name_the_fields(recipe):
    train = dataclasses.replace(recipe.train, seed=3, epochs=2)
    other = dataclasses.replace(recipe, train=train, bitext=dataclasses.replace(recipe.bitext, datasets=("a",)))
    assert differences(recipe.as_dict(), other.as_dict()) == [
        "bitext.datasets: ['a', 'b'] -> ['a']",
        "train.epochs: 1 -> 2",
        "train.seed: 0 -> 3",
    ]
    assert differences(recipe.as_dict(), recipe.as_dict()) == []


def test_differences_see_a_section_that_appears(recipe):
    pretrained = dataclasses.replace(recipe, teacher=TeacherConfig())
    lines = differences(pretrained.as_dict(), recipe.as_dict())
    assert "teacher.weights: 'all-minilm-l6-v2' -> 'scratch'" in lines
    assert [line for line in lines if line.startswith("teacher.scratch: None -> {")]
