"""The recipe ``paper`` on a tiny model of mBERT's kind: its own makers, one step each, without Ray."""

import json
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pyarrow as pa
import pytest
import torch
from transformers import BertConfig, BertModel

from optical import artefacts
from optical.data.batches import tokenise
from optical.data.batches.token_shards import open_tokens, read_split
from optical.data.bitext import shards
from optical.data.bitext.config import BitextConfig
from optical.errors import UserError
from optical.model.storage import load_encoder
from optical.model.vocabulary.tokenizer import learn_wordpiece
from optical.tracking.journal import rows
from optical.train import ray
from pipelines.__main__ import main
from pipelines.checks.faults import check_recipe, faults
from pipelines.environment import Settings
from pipelines.graph.bitext import BITEXT, QUESTIONS
from pipelines.graph.student import STUDENT, STUDENT_START, TOKENS
from pipelines.graph.teacher import NEGATIVES, PRETRAINED, QUESTION_TOKENS, TEACHER, TEACHER_START
from pipelines.graph.workspace import Workspace
from pipelines.public import public_recipe
from pipelines.recipes import recipe
from tests.doors.recipes import changed
from tests.readers import save_tokenizer
from tests.train import ranks

TINY = {
    "bitext__datasets": ("demo",),
    "bitext__dev_pairs": 4,
    "teacher__training__pairs": ("demo-questions",),
    "teacher__training__train__epochs": 1,
    "teacher__training__dim": 12,
    "train__epochs": 1,
    "evaluation__collection": "demo-topics",
}


@pytest.fixture
def folder(bitext, tmp_path):
    """A folder as the hub has mBERT: a BERT of its own with a pooler, and a tokenizer."""
    torch.manual_seed(3)
    folder = tmp_path / "mbert"
    tokenizer = learn_wordpiece([side for pair in bitext for side in pair], 300)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=tokenizer.get_vocab_size(), **shape)).save_pretrained(folder)
    save_tokenizer(tokenizer, folder)
    return folder


@pytest.fixture
def workspace(folder, tmp_path):
    tiny = changed(recipe("paper"), teacher__weights=str(folder), **TINY)
    return Workspace(tiny, Settings(runs_dir=tmp_path / "runs", cache=tmp_path / "cache", mirror=None))


@pytest.fixture
def make(workspace, monkeypatch):
    """Makes a node with its own maker, which trains and tokenises in this process."""

    def trained_here(job, resources):
        assert resources is workspace.settings.resources
        ranks.train(job)

    def tokenised(files, source, target):
        yield from tokenise._tokenise(pa.table({"shard": files}), source, target)

    monkeypatch.setattr(tokenise, "tokenised_pairs", tokenised)
    monkeypatch.setattr(ray, "fit", trained_here)
    session = SimpleNamespace(
        workspace=workspace, work=lambda verb: nullcontext(), follow=lambda journal: nullcontext()
    )

    def made(node):
        node.for_recipe(workspace.recipe).make(session, workspace.path(node), workspace.fingerprint_of(node))

    return made


def write_pairs(workspace, node, pairs) -> None:
    """Clean pairs as the maker of ``node`` would leave them."""
    accepted = [
        {"dataset": "toy", "position": number, "source": source, "target": target}
        for number, (source, target) in enumerate(pairs)
    ]
    table, config = pa.Table.from_pylist(accepted, shards.CHECKED), BitextConfig(datasets=("toy",))
    shards.write_bitext(workspace.path(node), workspace.fingerprint_of(node), [table], config, {})


def steps(folder) -> list[dict]:
    return [row for row in rows(folder / "metrics.jsonl") if row["event"] == "step"]


def test_the_teacher_and_the_student_of_the_paper_take_a_step_each(workspace, make, bitext):
    check_recipe(workspace)
    questions = [(f"{target.split()[0]} {target.split()[1]}", target) for _, target in bitext[:24]]
    write_pairs(workspace, QUESTIONS, questions)
    write_pairs(workspace, BITEXT, bitext[:24])
    for node in (TEACHER_START, NEGATIVES, QUESTION_TOKENS, TEACHER, TOKENS, STUDENT):
        make(node)
    start, teacher, student = (load_encoder(workspace.path(node)) for node in (TEACHER_START, TEACHER, STUDENT))
    assert start.dim == teacher.dim == student.dim == 12
    assert len(steps(workspace.folder(TEACHER))) == len(steps(workspace.folder(STUDENT))) == 1
    assert not torch.equal(teacher.head[0].linear.weight, start.head[0].linear.weight)
    given = load_encoder(workspace.path(PRETRAINED)).backbone.state_dict()
    assert all(torch.equal(value, given[name]) for name, value in start.backbone.state_dict().items())
    mined = artefacts.read(workspace.path(NEGATIVES), "negatives").info
    assert (mined["pairs"], mined["negatives"] > 12) == (24, True)
    pairs = read_split(workspace.path(QUESTION_TOKENS), "train")
    assert pairs.negative_ids is not None
    assert open_tokens(workspace.path(TOKENS)).take(torch.arange(3).numpy()).negative_ids is None


def test_the_recipe_has_the_lengths_and_the_dimension_that_its_docstring_names(workspace, folder):
    whole = recipe("paper")
    assert whole.teacher.training.dim == 128
    lengths = whole.teacher.query_length, whole.teacher.document_length
    train = whole.teacher.training.train
    assert lengths == (train.source_length, train.target_length) == (32, 180)
    assert list(faults(whole, folder)) == []


def test_mbert_needs_a_commit_of_the_hub(tmp_path, capsys):
    assert main(["run", "paper", "--runs-dir", str(tmp_path / "runs")]) == 2
    said = capsys.readouterr().err
    assert "teacher.revision: hub id 'google-bert/bert-base-multilingual-cased' has no pinned revision" in said
    assert said.count("\n") == 1


def other(workspace, **values) -> Workspace:
    return Workspace(changed(workspace.recipe, **values), workspace.settings)


def test_what_the_teachers_training_decides_and_what_it_does_not(workspace):
    def same(node, **values) -> bool:
        return other(workspace, **values).fingerprint_of(node) == workspace.fingerprint_of(node)

    plain = {"teacher__training__negatives": 0}
    assert same(NEGATIVES, teacher__training__temperature=0.1)
    assert not same(TEACHER, teacher__training__temperature=0.1)
    assert not same(TEACHER, **plain)
    assert same(TEACHER_START, **plain)
    assert not same(TEACHER_START, teacher__training__dim=8)
    assert not same(TEACHER_START, teacher__training__train__seed=1)
    assert not same(QUESTION_TOKENS, teacher__training__dim=8)
    assert same(TEACHER, teacher__training__train__dev_steps=7)
    assert not other(workspace, **plain).has(NEGATIVES)


def test_training_without_a_new_projection_starts_from_the_weights_themselves(workspace):
    kept = other(workspace, teacher__training__dim=0)
    assert kept.path(TEACHER_START) == kept.path(PRETRAINED)
    assert kept.path(TEACHER) != kept.path(PRETRAINED)
    assert kept.path(STUDENT_START) == kept.path(TEACHER)
    assert list(faults(kept.recipe, kept.path(PRETRAINED))) == []


def test_a_teacher_as_it_is_has_no_training(workspace):
    untrained = other(workspace, teacher__training=None)
    assert untrained.path(TEACHER) == untrained.path(PRETRAINED)
    assert not untrained.has(QUESTIONS)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("pairs", (), r"^teacher.training.pairs: names no data set"),
        ("negatives", 2, r"^teacher.training.negatives: is 2; set 0 or 1$"),
        ("dim", -1, r"^teacher.training.dim: is -1; set 0 or a positive number$"),
        ("temperature", 0.0, r"^teacher.training.temperature: is 0.0"),
    ],
)
def test_an_impossible_training_is_refused(workspace, field, value, said):
    with pytest.raises(UserError, match=said):
        replace(workspace.recipe.teacher.training, **{field: value})


def test_faults_name_the_section_of_the_training(workspace, folder):
    long = changed(workspace.recipe, teacher__training__train__target_length=600)
    assert [fault.where for fault in faults(long, folder)] == ["teacher.training.train.target_length"]


def test_a_teacher_is_trained_from_scratch_or_from_weights(workspace):
    with pytest.raises(UserError, match=r"^teacher.training: is given, and teacher.scratch trains"):
        replace(recipe("demo").teacher, training=workspace.recipe.teacher.training)


def test_a_recipe_with_a_trained_teacher_comes_back_from_its_file(workspace, tmp_path):
    from pipelines.recipes.from_file import recipe_from_file

    whole = recipe("paper")
    (tmp_path / "run.json").write_text(json.dumps({"recipe": whole.as_dict()}))
    assert recipe_from_file(str(tmp_path / "run.json")) == whole


def test_a_published_recipe_names_the_files_of_the_training_without_their_folders(workspace):
    public = public_recipe(changed(workspace.recipe, teacher__training__pairs=("/home/me/questions.tsv",)))
    assert public.teacher.training.pairs == ("questions.tsv",)
    assert public.teacher.weights == "mbert"
