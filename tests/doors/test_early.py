"""What would fail after minutes of work is said before it begins, with the field, the number and what to set."""

import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import RobertaConfig, RobertaModel

from optical import artefacts
from optical.errors import DataError, UserError
from optical.evaluation.notation import MEASURES, cutoff
from optical.model.encode import encode_texts
from optical.model.encoder import Encoder
from optical.objectives import contrastive
from optical.recipe import Recipe, StudentConfig
from optical.resources import Resources
from pipelines.__main__ import main
from pipelines.checks.faults import certain_tokens, check_data, check_recipe, faults
from pipelines.environment import Settings
from pipelines.graph.bitext import BITEXT, QUESTIONS
from pipelines.graph.collection import COLLECTION
from pipelines.graph.milestones import CHECKED_DATA, CLEAN_DATA, POSSIBLE_SYSTEMS
from pipelines.graph.passages import EMBEDDINGS
from pipelines.graph.student import STUDENT, TEACHER_CACHE, TOKENS
from pipelines.graph.teacher import PRETRAINED
from pipelines.graph.workspace import Workspace
from pipelines.recipes import recipe
from tests.doors.places import Placed
from tests.doors.recipes import changed
from tests.readers import reader

DEMO = recipe("demo")


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(runs_dir=tmp_path / "runs", cache=tmp_path / "cache", mirror=None)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            ("--train.target-length", "300"),
            "train.target_length: is 300, and the teacher can read 256 tokens; set at most 256",
        ),
        (("--train.source-length", "257"), "train.source_length: is 257, and the teacher can read 256"),
        (("--teacher.document-length", "400"), "teacher.document_length: is 400, and the teacher can read 256"),
        (("--teacher.query-length", "400"), "teacher.query_length: is 400, and the teacher can read 256"),
        (("--teacher.scratch.train.target-length", "257"), "teacher.scratch.train.target_length: is 257"),
        (("--teacher.scratch.train.source-length", "257"), "teacher.scratch.train.source_length: is 257"),
        (("--teacher.scratch.vocabulary", "0"), "teacher.scratch.vocabulary: is 0"),
        (("--teacher.scratch.temperature", "inf"), "teacher.scratch.temperature: is inf"),
        (("--train.seed", "-1"), "train.seed: is -1; set 0 or a positive number"),
        (("--evaluation.seed", "-1"), "evaluation.seed: is -1; set 0 or a positive number"),
        (("--train.weight-decay", "inf"), "train.weight_decay: is inf"),
        (("--train.mixture.weights", "1", "2"), "train.mixture.weights: has 2 weights for 1 data sets (demo)"),
        (
            ("--evaluation.baseline", "student_bridge"),
            "baseline: is student_bridge, and this student has no such encoder",
        ),
        (("--index.depth", "50"), "index.depth: is 50, and R@100 looks at 100 passages of every query"),
        (("--index.search", "faiss", "--index.factory", "Nonsense7"), "index.factory: faiss cannot make 'Nonsense7'"),
        (("--index.search", "faiss", "--index.factory", "PQ7"), "index.factory: faiss cannot make 'PQ7' of 64"),
    ],
)
def test_a_setting_that_would_fail_late_is_refused_at_once(settings, capsys, flags, said):
    assert main(["run", "demo", *flags, "--runs-dir", str(settings.runs_dir)]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert not settings.runs_dir.exists()


def test_workers_are_refused_to_an_objective_that_would_see_other_pairs_with_them(settings):
    class Divided(contrastive.Config):
        gathers = False

    two = replace(settings, resources=Resources(num_workers=2))
    check_recipe(Workspace(replace(DEMO, objective=contrastive.Config()), two))
    check_recipe(Workspace(replace(DEMO, objective=Divided()), settings))
    with pytest.raises(UserError, match="^num_workers: is 2, and contrastive compares a pair with those of its own"):
        check_recipe(Workspace(replace(DEMO, objective=Divided()), two))


def test_a_pretrained_teacher_is_asked_for_its_positions_and_vocabulary(encoder_folder):
    long = changed(recipe("swahili_minilm"), teacher__document_length=300, student__vocabulary=0)
    assert [fault.where for fault in faults(long, encoder_folder)] == ["teacher.document_length"]
    assert list(faults(changed(long, teacher__document_length=256), encoder_folder)) == []
    assert list(faults(long, None)) == []
    tokenizer = json.loads((encoder_folder / "tokenizer.json").read_text())
    tokenizer["model"]["type"] = "BPE"
    (encoder_folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    extended = replace(changed(long, teacher__document_length=64), student=StudentConfig(vocabulary=500))
    assert [fault.where for fault in faults(extended, encoder_folder)] == ["student.vocabulary"]
    (encoder_folder / "config.json").write_text("{}")
    with pytest.raises(DataError, match=r"its shape cannot be read \(ValueError"):
        list(faults(extended, encoder_folder))


def test_a_model_that_counts_positions_from_its_padding_has_fewer(tokenizer):
    shape = RobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=20,
        pad_token_id=0,
    )
    encoder = Encoder(RobertaModel(shape), reader(tokenizer)).eval()
    assert encoder.positions == 19
    assert [len(tokens) for tokens in encode_texts(encoder, ["river " * 40], "query", 64)] == [19]


@pytest.fixture
def prepared(tmp_path, settings):
    """A stand-in for a workspace whose bitext, questions and passages are made: so many pairs, these texts."""

    def make(of: Recipe, pairs: int, questions: int, texts: list[str]) -> Workspace:
        for name, count in (("bitext", pairs), ("questions", questions)):
            with artefacts.writing(
                tmp_path / name, BITEXT.format, "f" * 64, {"accepted": {"one": count - 1, "two": 1}}
            ):
                pass
        (tmp_path / "collection").mkdir()
        pq.write_table(pa.table({"text": texts}), tmp_path / "collection" / "passages.parquet")
        places = {node: tmp_path / node.kind for node in (BITEXT, QUESTIONS, COLLECTION)}
        return Placed(of, settings, places, {})

    return make


TINY = ["the river flows north"] * 10
FAISS = changed(DEMO, index__search="faiss", index__factory="IVF256,SQ8")


@pytest.mark.parametrize(
    ("of", "pairs", "questions", "texts", "said"),
    [
        (DEMO, 399, 900, TINY, r"bitext: 399 sentence pairs, of which bitext.dev_pairs would hold out 200; .* to 199"),
        (DEMO, 900, 399, TINY, "questions: 399 question-passage pairs, of which bitext.dev_pairs would hold out 200"),
        (FAISS, 900, 900, TINY, "'IVF256,SQ8' needs 256 tokens to train on, and the collection is certain to have 60"),
        (FAISS, 900, 900, TINY * 5, None),
        (DEMO, 400, 400, TINY, None),
    ],
)
def test_data_that_are_too_few_are_refused_before_training(prepared, of, pairs, questions, texts, said):
    workspace = prepared(of, pairs, questions, texts)
    if said is None:
        check_data(workspace)
    else:
        with pytest.raises((DataError, UserError), match=said):
            check_data(workspace)


@pytest.mark.parametrize("name", ["demo", "swahili_minilm"])
@pytest.mark.parametrize("wanted", [EMBEDDINGS, STUDENT, TEACHER_CACHE, TOKENS])
def test_data_are_checked_before_anything_is_trained(settings, name, wanted):
    workspace = Workspace(recipe(name), settings)
    made = [node for node in workspace.order(wanted) if node is not PRETRAINED]
    data = [node for node in (COLLECTION, POSSIBLE_SYSTEMS, BITEXT, QUESTIONS) if workspace.has(node)]
    assert made[: len(data) + 2] == [*data, CLEAN_DATA, CHECKED_DATA]
    assert len(made) > len(data) + 2


def test_every_word_is_a_token_at_least(tmp_path, encoder):
    texts = ["one two  three ", "river", "a b c d e f"]
    pq.write_table(pa.table({"text": texts}), tmp_path / "passages.parquet")
    assert certain_tokens(tmp_path / "passages.parquet", 6) == 5 + 3 + 6
    assert certain_tokens(tmp_path / "passages.parquet", 6) <= sum(map(len, encode_texts(encoder, texts, "query", 6)))


def test_the_deepest_measure_is_the_one_that_is_checked():
    assert max(cutoff(name) or 0 for name in MEASURES) == 100
    deeper = changed(DEMO, evaluation__measures=("AP", "nDCG@500"))
    assert [str(fault) for fault in faults(deeper, None)] == [
        "index.depth: is 400, and nDCG@500 looks at 500 passages of every query; set at least 500"
    ]
    assert not list(faults(changed(DEMO, index__depth=50, evaluation__measures=("AP", "nDCG@20")), None))


def test_doctor_says_what_a_run_would_refuse(settings, capsys):
    flags = ["--train.target-length", "300", "--cache", str(settings.cache)]
    assert main(["doctor", "demo", *flags]) == 2
    assert "BAD  train.target_length" in capsys.readouterr().out
