"""Backbones of every family as teacher and as student, through the makers of the graph, one step each, without Ray."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from optical import artefacts
from optical.data.batches import tokenise
from optical.data.batches.token_shards import open_tokens, read_split
from optical.data.bitext import shards
from optical.data.bitext.config import BitextConfig
from optical.index import embed
from optical.index.embeddings import open_embeddings, write_embeddings
from optical.index.kinds import exact
from optical.index.retriever import Retriever
from optical.model.encode import encode_texts
from optical.model.storage import load_encoder
from optical.model.text.reader import load_reader
from optical.objectives import pooled
from optical.tracking.journal import rows
from optical.train import ray
from pipelines.checks.faults import check_recipe
from pipelines.environment import Settings
from pipelines.graph.bitext import BITEXT
from pipelines.graph.collection import COLLECTION
from pipelines.graph.runs import systems
from pipelines.graph.student import STUDENT, STUDENT_BRIDGE, STUDENT_START, STUDENT_WEIGHTS, TOKENS
from pipelines.graph.teacher import TEACHER
from pipelines.graph.workspace import Workspace
from pipelines.recipes import recipe
from tests.doors.recipes import changed
from tests.model.formats.folders import MAKERS, WORDS, stanford
from tests.model.formats.test_plain import hidden_of_transformers
from tests.train import ranks

FAMILIES = sorted(MAKERS)
PAIRS = [(f"{WORDS[place % 15]} {WORDS[(place * 7 + 3) % 15]}, {WORDS[(place * 4) % 15]}",) * 2 for place in range(40)]
TINY = {
    "bitext__datasets": ("demo",),
    "bitext__dev_pairs": 4,
    "evaluation__collection": "demo-topics",
    "teacher__training": None,
    "teacher__query_length": 30,
    "teacher__document_length": 30,
    "train__epochs": 1,
    "train__batch_pairs": 40,
    "train__source_length": 24,
    "train__target_length": 24,
    "train__mixture__mono_share": 0.5,
    "objective": pooled.Config(),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    return {name: MAKERS[name](tmp_path_factory.mktemp(name)) for name in FAMILIES}


@pytest.fixture
def run(folders, tmp_path, monkeypatch) -> Callable[..., tuple[Workspace, Callable]]:
    """A workspace of a teacher and a student, with its clean pairs, and what makes its nodes in this process."""

    def tokenised(files, source, target):
        yield from tokenise._tokenise(pa.table({"shard": files}), source, target)

    monkeypatch.setattr(tokenise, "tokenised_pairs", tokenised)
    monkeypatch.setattr(ray, "fit", lambda job, resources: ranks.train(job))

    def opened(teacher: str, student: str, **values):
        own = {"teacher__weights": str(folders[teacher]), "student__weights": str(folders[student])}
        tiny = changed(recipe("paper"), **(TINY | own | values))
        workspace = Workspace(tiny, Settings(runs_dir=tmp_path / "runs", cache=tmp_path / "cache", mirror=None))
        check_recipe(workspace)
        accepted = [
            {"dataset": "toy", "position": number, "source": source, "target": target}
            for number, (source, target) in enumerate(PAIRS)
        ]
        table = pa.Table.from_pylist(accepted, shards.CHECKED)
        config = BitextConfig(datasets=("toy",))
        shards.write_bitext(workspace.path(BITEXT), workspace.fingerprint_of(BITEXT), [table], config, {})
        collection = workspace.path(COLLECTION)
        collection.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"text": [target for _, target in PAIRS]}), collection / "passages.parquet")
        session = SimpleNamespace(
            workspace=workspace, work=lambda verb: nullcontext(), follow=lambda journal: nullcontext()
        )

        def made(*nodes):
            for node in nodes:
                node.for_recipe(tiny).make(session, workspace.path(node), workspace.fingerprint_of(node))

        return workspace, made

    return opened


def searched(workspace: Workspace, folder: Path, texts: list[str], queries: list[str]):
    """A run of the student's queries over the teacher's embeddings of passages."""
    encoder = embed.PassageEncoder(workspace.path(TEACHER), 30, 1, False)
    passages = pa.table({"docid": [f"d{number}" for number in range(len(texts))], "text": texts})
    dim = load_encoder(workspace.path(TEACHER)).dim
    write_embeddings(folder, "e" * 64, dim, [encoder(passages)])
    retriever = Retriever.open(workspace.path(STUDENT), 30, open_embeddings(folder), exact.Config(depth=len(texts)))
    return retriever.run([f"q{number}" for number in range(len(queries))], queries)


@pytest.mark.parametrize("student", FAMILIES)
@pytest.mark.parametrize("teacher", ["bert"])
def test_every_family_teaches_and_learns(run, folders, tmp_path, teacher, student):
    workspace, made = run(teacher, student)
    made(STUDENT_START, TOKENS, STUDENT)
    start, trained = load_encoder(workspace.path(STUDENT_START)), load_encoder(workspace.path(STUDENT)).eval()
    assert trained.dim == load_encoder(folders[teacher]).dim
    assert len([row for row in rows(workspace.folder(STUDENT) / "metrics.jsonl") if row["event"] == "step"]) == 1
    assert not torch.equal(trained.head[0].linear.weight, start.head[0].linear.weight)
    pairs = read_split(workspace.path(TOKENS), "train")
    readers = load_reader(folders[student]), load_reader(folders[teacher])
    texts = [PAIRS[0][0], PAIRS[1][0]]
    tokens = open_tokens(workspace.path(TOKENS)).frames
    assert (tokens.source, tokens.target) == (readers[0].frames["query"], readers[1].frames["query"])
    for ids, reader in ((pairs.mono_ids, readers[0]), (pairs.target_ids, readers[1]), (pairs.source_ids, readers[0])):
        written = {tuple(row) for row in ids.to_pylist()}
        assert written <= {tuple(row) for row in reader.encode([one for one, _ in PAIRS], "query").to_pylist()}
    found = searched(workspace, tmp_path / "index", [*texts, ""], [*texts, ""])
    assert all(len(found.docids(f"q{number}")) == 3 for number in range(3))
    text = PAIRS[2][0]
    [ours] = encode_texts(load_encoder(folders[student]).eval(), [text], "query", 30)
    torch.testing.assert_close(ours, hidden_of_transformers(folders[student], text), atol=1e-6, rtol=0)


@pytest.mark.parametrize("teacher", FAMILIES)
def test_every_family_teaches_with_a_prefix_and_centred(run, folders, tmp_path, teacher):
    adapted = {"teacher__centre": "on", "teacher__query_prefix": "query ", "teacher__query_tokens": "inner"}
    workspace, made = run(teacher, "xlm_roberta", teacher__target_role="document", **adapted)
    made(TEACHER, STUDENT_START, TOKENS, STUDENT)
    guide, student = load_encoder(workspace.path(TEACHER)).eval(), load_encoder(workspace.path(STUDENT)).eval()
    assert guide.reader.roles.query.prefix == "query " and guide.reader.roles.query.scored == "inner"
    assert (student.reader.roles.query.prefix, student.reader.roles.query.scored) == ("", "inner")
    passages = torch.cat(encode_texts(guide, [one for one, _ in PAIRS], "document", 30))
    raw = torch.cat(encode_texts(load_encoder(folders[teacher]).eval(), [one for one, _ in PAIRS], "document", 30))
    assert passages.mean(0).norm() < 0.2 < raw.mean(0).norm()
    assert open_tokens(workspace.path(TOKENS)).frames.target == guide.reader.frames["document"]
    found = searched(workspace, tmp_path / "index", [PAIRS[0][0], ""], [PAIRS[0][0], ""])
    assert len(found.docids("q0")) == 2
    assert "q1" not in {row.qid for row in found}
    assert "centring" in artefacts.read(workspace.path(TEACHER), "encoder").info


@pytest.mark.parametrize(("student", "told"), [("xlm_roberta", True), (None, False)])
def test_a_prefix_that_does_not_reach_the_student_is_told_of(run, capsys, student, told):
    own = {} if student else {"student__weights": None, "student__layers": 1}
    _, made = run("bert", student or "bert", teacher__query_prefix="query ", **own)
    made(TEACHER, STUDENT_START)
    line = "student start  reads queries with no prefix (student.query_prefix), and the teacher with 'query '\n"
    assert (line in capsys.readouterr().err) == told


def test_a_prefix_that_only_places_the_marker_of_the_teacher_is_none(run, capsys, tmp_path):
    (tmp_path / "plaid").mkdir()
    overwriting = stanford(tmp_path / "plaid", kd_loss="KLD", query_maxlen=12)
    lengths = {f"{where}_length": 12 for where in ("teacher__query", "train__source", "train__target")}
    _, made = run("bert", "bert", teacher__weights=str(overwriting), **lengths)
    made(STUDENT_START)
    told = capsys.readouterr().err
    assert "student start  ridge" in told and "reads queries with" not in told


def test_the_distillations_role_reaches_the_start(run):
    heads = []
    for role in ("query", "document"):
        workspace, made = run("bert", "xlm_roberta", teacher__target_role=role, teacher__document_prefix="hello ")
        made(TEACHER, STUDENT_START)
        heads.append(load_encoder(workspace.path(STUDENT_START)).head[0].linear.weight)
    assert not torch.equal(*heads)


def test_a_bridge_is_a_stage_of_its_own(run, tmp_path):
    base = changed(recipe("paper"), **TINY).train
    workspace, made = run("bert", "xlm_roberta", student__bridge=base)
    made(STUDENT_START, TOKENS, STUDENT_BRIDGE, STUDENT)
    stages = [load_encoder(workspace.path(node)).backbone for node in (STUDENT_START, STUDENT_BRIDGE, STUDENT)]
    words = [stage.get_input_embeddings().weight for stage in stages]
    assert not torch.equal(words[0], words[1]) and not torch.equal(words[1], words[2])
    assert workspace.folder(STUDENT_BRIDGE) != workspace.folder(STUDENT)
    named = {
        node: {row["stage"] for row in rows(workspace.folder(node) / "metrics.jsonl")}
        for node in (STUDENT_BRIDGE, STUDENT)
    }
    assert named == {STUDENT_BRIDGE: {"bridge"}, STUDENT: {"student"}}
    without, _ = run("bert", "xlm_roberta")
    assert without.path(STUDENT_BRIDGE) == without.path(STUDENT_START)
    assert workspace.fingerprint_of(STUDENT) != without.fingerprint_of(STUDENT)
    assert workspace.fingerprint_of(TOKENS) == without.fingerprint_of(TOKENS)


def test_the_students_stages_are_systems_where_they_exist(run, monkeypatch):
    def named(workspace) -> set[str]:
        table = pa.table({"english": ["water"]})
        monkeypatch.setattr("pipelines.graph.searching.pq.read_table", lambda *given, **options: table)
        return {system.made_by.encoder for system in systems(workspace)}

    base = changed(recipe("paper"), **TINY).train
    own, _ = run("bert", "xlm_roberta")
    bridged, _ = run("bert", "xlm_roberta", student__bridge=base)
    copied = Workspace(changed(own.recipe, student__weights=""), own.settings)
    assert named(own) == {"teacher", "start", "student"}
    assert named(bridged) == {"teacher", "start", "bridge", "student"}
    assert named(copied) == {"teacher", "student"}
    assert own.has(STUDENT_WEIGHTS) and not copied.has(STUDENT_WEIGHTS)


def test_half_of_the_sources_are_english_by_the_students_own_tokenizer(run):
    workspace, made = run("bert", "modernbert", train__mixture__mono_share=1.0)
    made(STUDENT_START, TOKENS)
    from optical.data.batches.batch import collate
    from optical.data.batches.feed import RankShare
    from optical.data.batches.schedule import Schedule

    shards = open_tokens(workspace.path(TOKENS))
    schedule = Schedule(shards, workspace.recipe.train)
    [batch] = [
        batch
        for stretch in schedule.stretches(0)
        for block in RankShare.of(schedule).blocks(stretch)
        for batch in collate(block, shards.frames)
    ]
    reader = load_reader(workspace.path(STUDENT_START))
    english = {tuple(ids) for ids in reader.encode([one for _, one in PAIRS], "query").to_pylist()}
    read = [tuple(row[mask].tolist()) for row, mask in zip(batch.source.ids, batch.source.mask, strict=True)]
    assert len(read) == len(shards) and set(read) <= english
    assert np.all(batch.source.inner.sum(1).numpy() == batch.source.mask.sum(1).numpy() - shards.frames.source.size)
