"""The student before its first step: the teacher's copy, or an encoder of its own in the teacher's space."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from optical.model.alignment import projection_between, reader
from optical.model.centring import centred, moments
from optical.model.config import StartConfig
from optical.model.encode import encode_texts
from optical.model.encoder import Encoder
from optical.model.starting import student_start
from optical.model.storage import load_encoder, save_encoder
from optical.model.text.roles import ROLES, Roles, RoleSettings
from tests.model.formats import folders

WORDS = folders.WORDS
ENGLISH = [f"{one} {other} {third}" for one in WORDS for other in WORDS[:6] for third in WORDS[3:5] if one != other]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory) -> Path:
    """BERT with a projection to 16 dimensions, as PyLate keeps it."""
    return folders.pylate(tmp_path_factory.mktemp("teacher"))


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Path:
    return folders.xlm_roberta(tmp_path_factory.mktemp("own"))


def started(teacher: Path, own: Path | None, **config):
    return student_start(StartConfig(**config), teacher, own, ENGLISH, ENGLISH)


def same(one: Encoder, other: Encoder) -> bool:
    first, second = (encode_texts(encoder.eval(), ENGLISH[:4], "query", 30) for encoder in (one, other))
    return all(torch.equal(*pair) for pair in zip(first, second, strict=True))


def test_without_weights_of_its_own_the_student_is_the_teacher(teacher):
    student, facts = started(teacher, None)
    assert same(student, load_encoder(teacher)) and facts == {}


def test_a_copy_of_a_centred_teacher_is_centred(teacher, tmp_path):
    encoder = load_encoder(teacher).eval()
    save_encoder(centred(encoder, moments(encode_texts(encoder, ENGLISH[:50], "document", 30))), tmp_path)
    student, _ = started(tmp_path, None)
    assert same(student, load_encoder(tmp_path)) and len(student.head) == 3


@pytest.mark.parametrize("method", ["ridge", "procrustes"])
def test_a_student_of_its_own_comes_into_the_space_of_the_teacher(teacher, own, method):
    student, facts = started(teacher, own, weights="x", start=method)
    guide = load_encoder(teacher)
    assert (student.dim, len(student.head)) == (guide.dim, 1)
    assert (student.head[0].linear.bias is not None) == (method == "ridge")
    bare = load_encoder(own).backbone.state_dict()
    assert all(torch.equal(value, bare[name]) for name, value in student.backbone.state_dict().items())
    assert facts["aligned_tokens"] > 500 and f"{method} on " in facts["start"]
    assert facts["cosine_with_teacher"] > (0.6 if method == "ridge" else 0.2)


def test_a_start_of_none_keeps_its_own_projection(own, tmp_path, teacher):
    save_encoder(load_encoder(own), tmp_path)
    student, facts = started(teacher, tmp_path, weights="x", start="none")
    assert same(student, load_encoder(tmp_path)) and facts == {}


def test_layers_are_kept_from_the_first_and_the_map_is_fitted_behind_them(teacher, tmp_path):
    own = folders.xlm_roberta(tmp_path, num_hidden_layers=3)
    student, facts = started(teacher, own, weights="x", layers=1)
    assert student.backbone.config.num_hidden_layers == len(student.backbone.encoder.layer) == 1
    assert facts["cosine_with_teacher"] > 0.6


def test_the_student_lets_the_same_tokens_score_as_the_teacher_and_keeps_its_prefixes(teacher, own, tmp_path):
    guide, student = load_encoder(teacher), load_encoder(own)
    inner = Roles(query=RoleSettings(prefix="query ", scored="inner"))
    for name in ("taught", "own"):
        (tmp_path / name).mkdir()
    save_encoder(Encoder(guide.backbone, guide.reader.with_roles(inner), guide.head), tmp_path / "taught")
    prefixed = Roles(query=RoleSettings(prefix="hello "))
    save_encoder(Encoder(student.backbone, student.reader.with_roles(prefixed)), tmp_path / "own")
    made, _ = started(tmp_path / "taught", tmp_path / "own", weights="x")
    assert made.reader.roles.query == replace(prefixed.query, scored="inner")
    told, _ = started(tmp_path / "taught", tmp_path / "own", weights="x", query_prefix="you ")
    assert told.reader.roles.query == RoleSettings(prefix="you ", scored="inner")


@pytest.mark.parametrize("role", ["query", "document"])
def test_the_start_leads_to_the_vectors_that_the_teacher_gives_in_the_role_of_the_distillation(teacher, own, role):
    """The teacher's markers differ, so that a projection that leads to one role is not the other's."""
    student, facts = student_start(StartConfig(weights="x"), teacher, own, ENGLISH, ENGLISH, role)
    bare, guide = load_encoder(own).eval(), load_encoder(teacher).eval()
    wanted = {name: projection_between(bare, guide, ENGLISH, read_teacher=reader(guide, 128, name)) for name in ROLES}
    weight = student.head[0].linear.weight
    assert {name for name, found in wanted.items() if torch.equal(weight, found.weight.float())} == {role}
    assert facts["cosine_with_teacher"] == wanted[role].cosine_after


def test_the_start_is_the_same_twice(teacher, own):
    assert same(started(teacher, own, weights="x")[0], started(teacher, own, weights="x")[0])


def test_a_teacher_that_fills_its_queries_is_met_behind_long_sentences(tmp_path, own):
    guide = folders.stanford(tmp_path, query_maxlen=8)
    long = [" ".join(ENGLISH[place : place + 6]) for place in range(0, len(ENGLISH), 2)]
    student, facts = student_start(StartConfig(weights="x"), guide, own, long, long)
    assert student.dim == load_encoder(guide).dim and facts["aligned_tokens"] > 100
