"""Results say what they are: the versions, the settings and the precision that made them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from optical import artefacts
from optical.artefacts import Fingerprint
from optical.data.batches.batch import padded
from optical.data.batches.config import MixtureConfig
from optical.data.batches.token_shards import open_tokens, read_split
from optical.errors import UserError
from optical.index.embed import PassageEncoder
from optical.made_with import made_with
from optical.model import precision
from optical.model.encode import encode_texts
from optical.model.storage import load_encoder
from optical.objectives.sum import Config
from optical.recipe import Recipe, decisive
from optical.train.config import TrainConfig
from optical.train.dev import dev_measures
from optical.train.encode_targets import TargetEncoder
from pipelines.environment import Settings
from pipelines.graph.bitext import BITEXT, QUESTIONS
from pipelines.graph.collection import COLLECTION
from pipelines.graph.model_folder import MODEL_FOLDER
from pipelines.graph.node import Node
from pipelines.graph.passages import CANDIDATES, EMBEDDINGS
from pipelines.graph.teacher import TEACHER
from pipelines.graph.workspace import Workspace
from pipelines.recipes import recipe
from pipelines.session import Session
from tests.doors.places import Placed
from tests.doors.recipes import EVERYTHING, changed, nodes

DEMO = recipe("demo")
VERSIONS = {node.kind: node.version for node in nodes()}


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(runs_dir=tmp_path / "runs", cache=tmp_path / "cache", mirror=None)


def fingerprints(of: Recipe, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, Fingerprint]:
    """Of every node, with an export that has no text."""
    with monkeypatch.context() as patched:
        patched.setattr(MODEL_FOLDER, "made_from", lambda workspace: [workspace.fingerprint, {}])
        workspace = Workspace(of, settings)
        return {node.kind: workspace.fingerprint_of(node) for node in nodes()}


LATE = {"student", "run", "export"}
TAUGHT = LATE | {"teacher", "student-start", "tokens", "teacher-cache", "embeddings", "candidates"}
CHANGES = {
    "bitext": TAUGHT | {"bitext", "teacher-start", "question-tokens"},
    "questions": TAUGHT | {"questions", "teacher-start", "negatives", "question-tokens"},
    "negatives": TAUGHT | {"negatives", "question-tokens"},
    "collection": set(VERSIONS),
    "teacher-start": TAUGHT | {"teacher-start", "question-tokens"},
    "question-tokens": TAUGHT | {"question-tokens"},
    "teacher": TAUGHT,
    "student-start": LATE | {"student-start", "tokens", "teacher-cache"},
    "tokens": LATE | {"tokens", "teacher-cache"},
    "teacher-cache": LATE | {"teacher-cache"},
    "student": LATE,
    "embeddings": {"embeddings", "candidates", "run", "export"},
    "candidates": {"candidates", "run", "export"},
    "run": {"run", "export"},
    "export": {"export"},
}


# versions


@pytest.mark.parametrize("node", nodes(), ids=lambda node: node.kind)
def test_raising_a_version_changes_its_descendants_and_nothing_else(settings, monkeypatch, node):
    before = fingerprints(EVERYTHING, settings, monkeypatch)
    monkeypatch.setattr(node, "version", node.version + 1)
    after = fingerprints(EVERYTHING, settings, monkeypatch)
    assert {name for name in VERSIONS if after[name] != before[name]} == CHANGES[node.kind]
    assert {name: made.content for name, made in after.items()} == {name: made.content for name, made in before.items()}


def test_every_kind_has_a_version_and_a_fingerprint_knows_those_it_rests_on(settings, monkeypatch):
    made = fingerprints(EVERYTHING, settings, monkeypatch)
    assert made["export"].versions == VERSIONS
    assert made["bitext"].versions == {"bitext": VERSIONS["bitext"], "collection": VERSIONS["collection"]}
    assert {len(fingerprint) for fingerprint in made.values()} == {64}


@pytest.mark.parametrize("place", ["", "/encoder", "/train-00000"])
def test_what_another_version_made_is_made_anew_aloud(settings, capsys, place):
    parents = [Fingerprint.of("bitext", version, "maji") for version in (1, 2)]
    old, new = (Fingerprint.of("tokens", 1, parent, 200) for parent in parents)
    shared = settings.runs_dir / "shared"
    with artefacts.writing(shared / f"tokens-{old[:12]}{place}", "tokens", old):
        pass
    with artefacts.writing(shared / "tokens-other", "tokens", Fingerprint.of("tokens", 1, parents[0], 300)):
        pass
    told = f"tokens-{old[:12]} was made by version 1 of bitext (now 2); making it anew\n"
    unknown = Fingerprint.of("tokens", 1, parents[0], 400)
    for identity, expected in ((new, told), (unknown, "")):
        node = Node(kind="tokens", version=1, inner=place.strip("/"), make=lambda *_: None)
        with Session(Placed(DEMO, settings, {}, {node: identity})) as session:
            session.make(node)
        assert capsys.readouterr().err == expected


def test_a_manifest_says_which_versions_and_libraries_made_it(tmp_path):
    made_from = Fingerprint.of("tokens", 1, Fingerprint.of("bitext", 2, "maji"))
    with artefacts.writing(tmp_path / "a", "tokens", made_from):
        pass
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert (manifest["content"], manifest["versions"]) == (made_from.content, {"bitext": 2, "tokens": 1})
    assert manifest["made_with"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert manifest["made_with"]["numpy"] == np.__version__


# the run folder


def _begin(of: Recipe, settings: Settings) -> Path:
    with Session(Workspace(of, settings)) as session:
        return session.run_dir / "run.json"


def _refused(of: Recipe, settings: Settings) -> str:
    with pytest.raises(UserError) as caught, Session(Workspace(of, settings)):
        pass
    return caught.value.parts[1]


def test_a_run_of_another_version_is_refused_by_that_name(settings, monkeypatch):
    named = replace(settings, run_name="mine")
    _begin(DEMO, named)
    old, new = BITEXT.version, BITEXT.version + 1
    monkeypatch.setattr(BITEXT, "version", new)
    assert _refused(DEMO, named) == f"it was made by version {old} of bitext (now {new})"
    assert _begin(DEMO, settings).parent.name == f"demo-{Workspace(DEMO, settings).fingerprint[:12]}"


def test_a_run_from_before_versions_and_one_of_other_data_are_told_apart(settings, tmp_path):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("maji\twater\n")
    own = changed(DEMO, bitext__datasets=(str(pairs),))
    named = replace(settings, run_name="mine")
    file = _begin(own, named)
    pairs.write_text("moto\tfire\n")
    assert _refused(own, named) == "it was made from other data or another teacher's weights"
    known = json.loads(file.read_text())
    del known["versions"], known["content"], known["made_with"]
    file.write_text(json.dumps(known | {"version": "0.1.0"}))
    assert _refused(own, named) == "it was made before makers had versions"


def test_a_field_that_decides_nothing_is_not_blamed(settings, tmp_path):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("maji\twater\n")
    own = changed(DEMO, bitext__datasets=(str(pairs),))
    named = replace(settings, run_name="mine")
    _begin(own, named)
    pairs.write_text("moto\tfire\n")
    assert "other data" in _refused(changed(own, objective__penalty=2.0, train__dev_steps=7), named)
    assert _refused(changed(own, train__seed=1), named).endswith("another recipe (train.seed: 0 -> 1)")


def test_the_terms_of_a_sum_are_blamed(settings):
    named, own = replace(settings, run_name="mine"), replace(DEMO, objective=Config(terms=("ot", "0.3*pooled")))
    _begin(own, named)
    said = "objective.terms: ['ot', '0.3*pooled'] -> ['greedy']"
    assert _refused(replace(DEMO, objective=Config(terms=("greedy",))), named).endswith(f"another recipe ({said})")


def test_a_run_keeps_what_decides_it_and_the_identity_of_its_data(settings):
    known, workspace = json.loads(_begin(DEMO, settings).read_text()), Workspace(DEMO, settings)
    assert known["decisive"] == workspace.decisive
    given = (COLLECTION, BITEXT, QUESTIONS)
    assert known["origin"] == {node.kind: workspace.fingerprint_of(node) for node in given}


def test_a_run_that_goes_on_with_other_libraries_is_told_of(settings, caplog):
    file = _begin(DEMO, settings)
    known = json.loads(file.read_text())
    assert known["made_with"] == made_with()
    file.write_text(json.dumps(known | {"made_with": known["made_with"] | {"torch": "1.0"}}))
    _begin(DEMO, settings)
    assert f"begun with other versions: torch 1.0 -> {made_with()['torch']}" in caplog.text


# fields that decide nothing

BRIDGE = TrainConfig(mixture=MixtureConfig(mono_share=0.5))
IDLE = [
    ({}, "objective__penalty", 2.0),
    ({}, "objective__mass", 0.5),
    ({"objective__method": "exact"}, "objective__epsilon", 0.3),
    ({"objective__method": "exact"}, "objective__max_iterations", 3),
    ({}, "train__dev_steps", 7),
    ({}, "teacher__scratch__train__checkpoint_steps", 7),
    ({"train__mixture__weights": (1.0,)}, "train__mixture__temperature", 2.0),
    ({"student__word_embeddings": "freeze"}, "train__embedding_rate", 0.5),
    ({"student__word_embeddings": "freeze", "student__bridge": BRIDGE}, "student__bridge__embedding_rate", 0.5),
]
AT_WORK = [
    ({"index__search": "faiss"}, "index__factory", "Flat"),
    ({"index__search": "faiss"}, "index__num_probes", 3),
    ({"index__search": "faiss"}, "index__tokens_per_probe", 3),
    ({"objective__method": "unbalanced"}, "objective__penalty", 2.0),
    ({"objective__method": "partial"}, "objective__mass", 0.5),
    ({}, "objective__epsilon", 0.3),
    ({}, "index__depth", 200),
    ({}, "index__search", "faiss"),
    ({}, "bitext__max_length_ratio", 3.0),
    ({}, "evaluation__seed", 3),
    ({}, "evaluation__baseline", "english_ceiling"),
    ({}, "teacher__scratch__temperature", 0.1),
    ({}, "train__mixture__temperature", 2.0),
    *(({}, f"train__{name}", 0.5) for name in ("embedding_rate", "head_rate", "layer_decay")),
    ({}, "student__word_embeddings", "freeze"),
    ({"student__bridge": BRIDGE}, "student__bridge__embedding_rate", 0.5),
    ({"student__word_embeddings": "freeze"}, "teacher__scratch__train__embedding_rate", 0.5),
]


@pytest.mark.parametrize(("given", "field", "value"), IDLE)
def test_a_field_that_is_not_used_changes_no_name(settings, given, field, value):
    base = changed(DEMO, **given)
    other = changed(base, **{field: value})
    assert other != base
    assert decisive(other) == decisive(base)
    assert Workspace(other, settings).fingerprint == Workspace(base, settings).fingerprint


def test_the_usual_baseline_is_in_no_fingerprint():
    assert "baseline" not in decisive(DEMO)["evaluation"]


@pytest.mark.parametrize(("field", "value"), [("factory", "Flat"), ("num_probes", 3), ("tokens_per_probe", 3)])
def test_settings_of_candidates_are_no_part_of_an_exact_search(field, value):
    assert field not in DEMO.as_dict()["index"]
    proposing = changed(changed(DEMO, index__search="faiss"), **{f"index__{field}": value})
    assert changed(proposing, index__search="exact") == DEMO


@pytest.mark.parametrize(("given", "field", "value"), AT_WORK)
def test_a_field_that_is_used_changes_the_run(settings, given, field, value):
    base = changed(DEMO, **given)
    assert Workspace(changed(base, **{field: value}), settings).fingerprint != Workspace(base, settings).fingerprint


def test_candidates_share_the_embeddings_of_an_exact_search(settings):
    exact = Workspace(changed(EVERYTHING, index__search="exact"), settings)
    one, other = (Workspace(changed(EVERYTHING, index__factory=name), settings) for name in ("Flat", "IVF8,SQ8"))
    assert one.path(EMBEDDINGS) == other.path(EMBEDDINGS) == exact.path(EMBEDDINGS)
    assert one.path(CANDIDATES) != other.path(CANDIDATES)
    assert not exact.has(CANDIDATES)


def test_a_question_set_is_known_by_its_bytes_and_by_the_language_of_its_passages(settings, tmp_path):
    for name in ("a.tsv", "b.tsv"):
        (tmp_path / name).write_text("where is it\tit is here\n")
    one, moved = (changed(DEMO, teacher__scratch__pairs=(str(tmp_path / name),)) for name in ("a.tsv", "b.tsv"))
    assert Workspace(moved, settings).fingerprint_of(TEACHER) == Workspace(one, settings).fingerprint_of(TEACHER)
    own = changed(DEMO, bitext__datasets=(str(tmp_path / "a.tsv"),))
    english, french = (Workspace(changed(own, bitext__target=code), settings) for code in ("eng", "fra"))
    assert french.fingerprint_of(QUESTIONS) != english.fingerprint_of(QUESTIONS)


# precision


def _kept(encoder_folder: Path, tokens: Path) -> dict[str, np.ndarray]:
    """What an index, a query, a teacher cache, a dev measure and a distillation get from an encoder."""
    encoder, texts = load_encoder(encoder_folder).eval(), ["child water school", "river"]
    passages = PassageEncoder(encoder_folder, 16, 1, use_gpu=False)(pa.table({"docid": ["a", "b"], "text": texts}))
    cache = TargetEncoder(encoder_folder, open_tokens(tokens), 16, 1, False)(pa.table({"group": [0]}))
    dev = padded(read_split(tokens, "dev"))
    with torch.no_grad():
        taught = encoder(dev.target.ids, dev.target.mask)
    return {
        "index": np.frombuffer(b"".join(passages["embeddings"].to_pylist()), np.float16),
        "query": torch.cat(encode_texts(encoder, texts, "query", 16)).numpy(),
        "cache": np.frombuffer(b"".join(row["embeddings"] for table in cache for row in table.to_pylist()), np.float16),
        "dev": np.array(list(dev_measures(encoder, encoder, dev).values())),
        "teacher": taught.numpy(),
    }


@pytest.mark.parametrize("door", ["index", "query", "cache", "dev", "teacher"])
def test_what_is_kept_or_measured_is_float32_where_training_is_not(encoder_folder, tokens, monkeypatch, door):
    """The CPU plays the GPU: on a device where training is in bfloat16, everything else still is in float32."""
    encoder = load_encoder(encoder_folder)
    dev = padded(read_split(tokens, "dev"))
    exact, trained = _kept(encoder_folder, tokens)[door], encoder(dev.source.ids, dev.source.mask)
    monkeypatch.setattr(precision, "HALF_ON", {"cpu"})
    with torch.autocast("cpu", torch.bfloat16):
        assert np.array_equal(_kept(encoder_folder, tokens)[door], exact)
    assert 1e-4 < (encoder(dev.source.ids, dev.source.mask) - trained).abs().max() < 0.1
    assert precision.trained_on(torch.device("cpu")) == {"device": "cpu", "precision": "bfloat16"}


def test_tf32_is_off_in_an_encoder_and_as_it_was_behind_it(encoder):
    seen = []
    encoder.backbone.register_forward_pre_hook(lambda *_: seen.append(torch.get_float32_matmul_precision()))
    torch.set_float32_matmul_precision("medium")
    try:
        encode_texts(encoder, ["river"], "query", 8)
        assert (seen, torch.get_float32_matmul_precision()) == (["highest"], "medium")
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.gpu
def test_a_gpu_makes_the_embeddings_that_a_cpu_makes(encoder_folder):
    passages = pa.table({"docid": ["a", "b"], "text": ["child water school", "river"]})
    cpu, gpu = (PassageEncoder(encoder_folder, 16, 1, use_gpu=gpu)(passages)["embeddings"] for gpu in (False, True))
    for one, other in zip(cpu.to_pylist(), gpu.to_pylist(), strict=True):
        assert np.abs(np.frombuffer(one, np.float16) - np.frombuffer(other, np.float16)).max() < 2e-3
