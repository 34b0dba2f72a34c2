"""What a run leaves: a card the hub reads, files transformers loads, no local path; a report of the same run."""

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from torch import nn
from transformers import AutoModel, AutoTokenizer

from optical import artefacts
from optical.data.collections.qrels import Qrel
from optical.data.registry.datasets import datasets
from optical.errors import UserError
from optical.evaluation.comparison import Comparison
from optical.evaluation.measures import Measured
from optical.evaluation.notation import MEASURES
from optical.evaluation.runs import write_qrels
from optical.model.centring import centred, moments
from optical.model.encode import encode_texts
from optical.model.encoder import Encoder
from optical.model.formats.layout import DenseLayer, Layout, read_layout
from optical.model.head import projection
from optical.model.storage import load_encoder, save_encoder
from optical.model.text.reader import load_reader
from optical.model.text.roles import Roles, RoleSettings
from optical.model.weights import PACKAGED
from optical.objectives import contrastive, ot
from optical.recipe import Recipe
from optical.report.content import DataFacts, DatasetFact
from optical.resources import Resources
from optical.tracking.journal import Journal
from optical.train.loop import write_encoder
from pipelines.circumstances import note_work
from pipelines.cli.parse import parse
from pipelines.environment import Settings
from pipelines.facts import data_facts
from pipelines.graph.bitext import BITEXT
from pipelines.graph.collection import COLLECTION
from pipelines.graph.model_folder import MODEL_FOLDER
from pipelines.graph.runs import RUNS
from pipelines.graph.student import STUDENT, STUDENT_BRIDGE, STUDENT_START, TOKENS
from pipelines.graph.teacher import TEACHER
from pipelines.model_card import CardEncoder, model_card
from pipelines.public import public_name, public_recipe, public_weights
from pipelines.recipes import recipe
from pipelines.session import Session
from pipelines.verbs.export import export
from pipelines.verbs.run import report_content
from tests.doors.places import Placed
from tests.model.formats.encoders import made
from tests.readers import FRAME

EVALUATION = {
    "measures": {name: dict.fromkeys(MEASURES, 0.25) for name in ("zero_shot", "student")},
    "intervals": {name: dict.fromkeys(MEASURES, [0.2, 0.3]) for name in ("zero_shot", "student")},
    "p": {"student": 0.004},
}


PROJECTED = CardEncoder(
    dim=16,
    layout=Layout(format="", head=(DenseLayer(inputs=32, outputs=16, weights="1_Dense/model.safetensors"),)),
    frame=FRAME,
)


def _recipe(
    bitext: tuple[str, ...], source: str, weights: str = "all-minilm-l6-v2", revision: str | None = None
) -> Recipe:
    base = replace(recipe("swahili_minilm"), objective=ot.Config(epsilon=0.1))
    return replace(
        base,
        bitext=replace(base.bitext, datasets=bitext, source=source),
        teacher=replace(base.teacher, weights=weights, revision=revision),
    )


def _card(made: Recipe, evaluation: dict | None = None, facts: tuple[DatasetFact, ...] = ()) -> str:
    return model_card(public_recipe(made), "f" * 64, PROJECTED, DataFacts(9, datasets=facts), evaluation)


def test_a_multilingual_teacher_is_not_called_english():
    card = _card(_recipe(("globalvoices-swa",), "swa", weights="multilingual-e5-small"))
    assert ", distilled from the teacher multilingual-e5-small by optimal transport over bitext" in card
    assert {name: model.languages for name, model in PACKAGED.items()} == {
        "all-minilm-l6-v2": "English",
        "multilingual-e5-small": "100 languages",
    }


def _front(card: str) -> dict:
    front = re.match(r"---\n(.*?)\n---\n", card, flags=re.S)
    return yaml.safe_load(front.group(1))


@pytest.mark.parametrize(
    ("bitext", "source", "languages"),
    [
        (("globalvoices-swa",), "swa", ["sw", "en"]),
        (("a.tsv", "b.tsv"), "ceb", ["ceb", "en"]),
        (("a.tsv@som", "b.tsv@hau", "c.tsv@som"), "*", ["so", "ha", "en"]),
        (("a.tsv@swa", "b.tsv"), "nob", ["sw", "nb", "en"]),
        (("globalvoices-swa", "a.tsv@yor"), "*", ["sw", "yo", "en"]),
    ],
)
def test_the_front_matter_is_yaml_with_a_list_of_language_codes(bitext, source, languages):
    front = _front(_card(_recipe(bitext, source)))
    assert front["language"] == languages
    assert front["license"] == "unknown"
    assert front["library_name"] == "transformers"
    assert "base_model" not in front and "datasets" not in front


def test_a_base_model_is_a_hub_id_or_is_not_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    named = _front(_card(_recipe(("a.tsv",), "swa", "colbert-ir/colbertv2.0", "f" * 40)))
    assert named["base_model"] == "colbert-ir/colbertv2.0"
    (tmp_path / "models" / "mine").mkdir(parents=True)
    for local in ("models/mine", "./models/mine", str(tmp_path / "models" / "mine")):
        card = _card(_recipe(("a.tsv",), "swa", local))
        assert "base_model" not in _front(card)
        assert "teacher mine" in card and "models/mine" not in card


def test_only_data_sets_of_the_hub_are_named_as_such():
    hub = next(entry for entry in datasets().values() if entry.kind == "bitext" and entry.origin.startswith("hub:"))
    front = _front(_card(_recipe((hub.name, "globalvoices-swa", "/data/x.tsv@swa"), "*")))
    assert front["datasets"] == [hub.origin.removeprefix("hub:")]


def test_what_was_measured_is_told_with_its_intervals_and_before_that_that_nothing_was():
    card = _card(_recipe(("a.tsv",), "swa"), EVALUATION)
    assert "| student | 0.250 (0.200, 0.300) | 0.250 (0.200, 0.300) |" in card
    assert "| 0.0040 |" in card
    assert "Nothing yet" in _card(_recipe(("a.tsv",), "swa")) and "Nothing yet" not in card


def test_the_card_names_the_objective_that_trained_and_the_test_of_the_protocol(monkeypatch):
    made = _recipe(("a.tsv",), "swa")
    assert "by optimal transport over bitext (Huang, Yu and Allan 2023" in _card(made)
    other = _card(replace(made, objective=contrastive.Config()))
    assert "by the objective contrastive over bitext" in other and "optimal transport" not in other
    assert "Holm-corrected for 1 comparison" in _card(made, EVALUATION)
    monkeypatch.setattr(type(made.evaluation), "test", "a sign test")
    card = _card(made, EVALUATION)
    assert "p belongs to MAP: a sign test." in card and "randomisation" not in card


def test_a_licence_that_forbids_commercial_use_is_a_limit():
    closed = next(entry for entry in datasets().values() if not entry.commercial)
    facts = DatasetFact(closed.name, closed.licence), DatasetFact("globalvoices-swa", "CC-BY-3.0")
    assert f"The licence of {closed.name} forbids commercial use." in _card(
        _recipe(("a.tsv",), "swa"), None, facts
    ).replace("\\", "")


def test_the_training_command_holds_file_names_and_no_folder():
    card = _card(_recipe(("/home/me/my data/pairs.tsv@som", "~/x/a.swa+~/x/a.eng"), "swa"))
    line = re.search(r"```sh\n(.*)\n```", card).group(1)
    _, command = parse(shlex.split(line)[3:])
    assert command.recipe.bitext.datasets == ("pairs.tsv@som", "a.swa+a.eng")
    assert "/home" not in card and "~/" not in card


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("globalvoices-swa", "globalvoices-swa"),
        ("/home/me/globalvoices-swa", "./globalvoices-swa"),
        ("C.tsv", "C.tsv"),
        ("/a/b.zip!inner/pairs.tsv", "b.zip!pairs.tsv"),
        ("webfaq:/a/b/eng.jsonl.gz", "webfaq:eng.jsonl.gz"),
        ("file:///home/me/pairs.tsv", "pairs.tsv"),
        ("s3://bucket/pairs.tsv", "s3://bucket/pairs.tsv"),
        ("../topics/", "topics"),
    ],
)
def test_a_public_name_leaves_the_folders_out(spec, name):
    assert public_name(spec) == name


def test_a_public_teacher_leaves_the_folders_out():
    assert [public_weights(name) for name in ("all-minilm-l6-v2", "owner/model", "/home/me/minilm/")] == [
        "all-minilm-l6-v2",
        "owner/model",
        "minilm",
    ]


# the folder


@pytest.fixture
def open_session(tmp_path, encoder_folder, tokens, monkeypatch):
    """Opens sessions whose student is trained: a tiny encoder that was saved and loaded, an old path in its config."""
    config = encoder_folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"_name_or_path": str(encoder_folder)}))
    monkeypatch.setattr(MODEL_FOLDER, "after", ())
    student = tmp_path / "run" / "student" / "encoder"
    write_encoder(load_encoder(encoder_folder), student, "s" * 64)
    local = str(tmp_path / "pairs.tsv@som")
    base = replace(recipe("swahili_minilm"), objective=ot.Config(epsilon=0.1))
    made = replace(
        base,
        bitext=replace(base.bitext, datasets=(local,), source="*"),
        teacher=replace(base.teacher, weights=str(encoder_folder)),
        evaluation=replace(base.evaluation, collection=str(tmp_path / "my collection")),
    )
    facts = {"licences": {local: "given by the user"}, "accepted": {local: 96}, "rejected": {}}
    leaks = {"compared_with": [str(tmp_path / "my collection")], "not_compared_with": {}}
    with artefacts.writing(tmp_path / "bitext", BITEXT.format, "b", facts | leaks):
        pass
    info = {"passages": 3, "topics": 2, "judgements": 1, "licence": "given by the user", "remarks": []}
    with artefacts.writing(tmp_path / "collection", "collection", "c", info) as scratch:
        topic = {"qid": ["q"], "query": ["maji"], "english": ["water"]}
        pq.write_table(pa.table(topic), scratch / "topics.parquet")
        write_qrels(scratch / "qrels.txt", [Qrel("q", "d", 1)])
    places = {
        BITEXT: tmp_path / "bitext",
        COLLECTION: tmp_path / "collection",
        TEACHER: encoder_folder,
        STUDENT_START: student,
        STUDENT_BRIDGE: student,
        TOKENS: tokens,
        STUDENT: student,
    }
    settings = Settings(runs_dir=tmp_path, run_name="run", resources=Resources(num_workers=2))
    return lambda of=made: Session(
        Placed(of, settings, places, {RUNS: "f" * 64, STUDENT: "s" * 64, TEACHER: "t" * 64, TOKENS: "k" * 64})
    )


def test_no_file_of_the_export_holds_a_local_path(open_session, tmp_path):
    folder = Path(export(open_session())["student"])
    files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert set(files) >= {"README.md", "config.json", "tokenizer_config.json", "tokenizer.json", "manifest.json"}
    for name, content in files.items():
        content = content.replace(b"\\", b"")  # Markdown escapes what paths are made of
        for path in (str(tmp_path), str(Path.home()) + "/", str(Path.cwd())):
            assert path.encode() not in content, (name, path)
    assert _front(files["README.md"].decode())["language"] == ["so", "en"]


def test_the_folder_loads_as_the_card_says_and_gives_the_students_vectors(open_session, monkeypatch, encoder):
    folder = Path(export(open_session())["student"])
    assert AutoModel.from_pretrained(folder).config.hidden_size == 32
    assert AutoTokenizer.from_pretrained(folder)("maji").input_ids[0] == encoder.tokenizer.token_to_id("[CLS]")
    code = re.search(r"```python\n(.*?)\n```", (folder / "README.md").read_text(), flags=re.S).group(1)
    monkeypatch.chdir(folder)
    said: dict = {}
    exec(code.replace('"..."', '"mtoto maji shule"'), said)
    torch.testing.assert_close(
        said["vectors"], encode_texts(load_encoder(folder), ["mtoto maji shule"], "query", 64)[0]
    )


def _said_by(card: str, folder: Path, monkeypatch) -> torch.Tensor:
    """The vectors that the code of a card computes in a folder."""
    code = re.search(r"```python\n(.*?)\n```", card, flags=re.S).group(1)
    monkeypatch.chdir(folder)
    said: dict = {}
    exec(code.replace('"..."', '"mtoto maji shule"'), said)
    return said["vectors"]


INNER = Roles(query=RoleSettings(prefix="child ", scored="inner"))
MARKED = Roles(query=RoleSettings(expand_to=12), document=RoleSettings(silent=("water",)))


@pytest.mark.parametrize("roles", [Roles(), INNER, MARKED], ids=["plain", "inner", "marked"])
@pytest.mark.parametrize("head", ["none", "bias", "centred"])
def test_the_code_of_a_card_computes_the_vectors_of_any_student(encoder, tmp_path, monkeypatch, roles, head):
    heads = {"none": nn.Sequential(), "bias": nn.Sequential(projection(torch.randn(8, 32), torch.randn(8)))}
    student = Encoder(encoder.backbone, encoder.reader.with_roles(roles), heads.get(head, encoder.head)).eval()
    if head == "centred":
        student = centred(student, moments([torch.nn.functional.normalize(torch.randn(40, student.dim), dim=1)]), 1)
    folder = tmp_path / "student"
    folder.mkdir()
    save_encoder(student, folder)
    about = CardEncoder(dim=student.dim, layout=read_layout(folder), frame=load_reader(folder).frames["query"])
    card = model_card(public_recipe(_recipe(("a.tsv",), "swa")), "f" * 64, about, DataFacts(9), None)
    wanted = encode_texts(load_encoder(folder).eval(), ["mtoto maji shule"], "query", 64)[0]
    torch.testing.assert_close(_said_by(card, folder, monkeypatch), wanted)
    assert ("special tokens included" in card) == (roles is not INNER)
    assert ("filled up to 12 tokens" in card) == (roles is MARKED)
    assert ("before the last linear layer" in card) == (head == "centred")


def test_a_student_of_its_own_is_named_without_its_folder():
    base = _recipe(("a.tsv",), "swa")
    made = replace(base, student=replace(base.student, weights="/home/me/xlmr"))
    card = _card(made)
    assert "started from xlmr" in card and "/home/me" not in card
    hub = replace(base, student=replace(base.student, weights="owner/model", revision="f" * 40))
    assert _front(_card(hub))["base_model"] == "owner/model"


def test_the_weights_of_the_student_are_among_the_data_with_their_licence(open_session, tmp_path, encoder):
    write_encoder(encoder, tmp_path / "told", "t" * 64, {"start": "ridge on 9 tokens"})
    recipe = open_session().workspace.recipe
    own = open_session(replace(recipe, student=replace(recipe.student, weights="multilingual-e5-small"))).workspace
    own.places[STUDENT_START] = tmp_path / "told"
    facts = data_facts(own).datasets
    assert [(fact.name, fact.licence) for fact in facts if fact.use == "student"] == [("multilingual-e5-small", "MIT")]
    assert all(fact.use != "student" for fact in data_facts(open_session().workspace).datasets)


def test_how_centring_and_start_went_is_told(open_session, tmp_path, encoder):
    write_encoder(encoder, tmp_path / "told", "t" * 64, {"centring": "taken", "start": "ridge on 9 tokens"})
    recipe = open_session().workspace.recipe
    teacher = replace(recipe.teacher, centre="dev")
    own = replace(recipe, teacher=teacher, student=replace(recipe.student, weights="multilingual-e5-small"))
    workspace = open_session(own).workspace
    workspace.places |= {TEACHER: tmp_path / "told", STUDENT_START: tmp_path / "told"}
    assert data_facts(workspace).notes[2:] == [
        "Centring of the teacher: taken.",
        "Start of the student: ridge on 9 tokens.",
    ]


@pytest.fixture
def open_colbert(open_session, tmp_path, monkeypatch):
    """Opens sessions whose student starts as the encoder that is given; it is trained only where that is said."""
    monkeypatch.setattr(STUDENT_START, "after", ())
    monkeypatch.setattr(STUDENT_START, "made_from", lambda workspace: [])

    def opened(start: Encoder, trained: bool) -> Session:
        place = tmp_path / "starts" / str(trained)
        write_encoder(start, place, "s" * 64)
        workspace = open_session().workspace
        workspace.fingerprints[STUDENT_START] = "s" * 64
        workspace.places |= {STUDENT_START: place, STUDENT: place if trained else tmp_path / "untrained"}
        monkeypatch.setattr(MODEL_FOLDER, "after", () if trained else (STUDENT,))
        return Session(workspace)

    return opened


def test_a_prefix_that_the_student_does_not_share_with_the_teacher_is_told(open_session, tmp_path, encoder):
    for name, prefix in (("teacher", "query: "), ("student", "")):
        roles = Roles(query=RoleSettings(prefix=prefix))
        with_prefix = Encoder(encoder.backbone, encoder.reader.with_roles(roles), encoder.head)
        write_encoder(with_prefix, tmp_path / "prefixes" / name, "t" * 64, {"start": "ridge on 9 tokens"})
    base = open_session().workspace.recipe
    own = replace(base, student=replace(base.student, weights="multilingual-e5-small"))
    for given, more in ((own, 1), (base, 0)):
        workspace = open_session(given).workspace
        workspace.places[TEACHER] = tmp_path / "prefixes" / "teacher"
        workspace.places[STUDENT_START] = tmp_path / "prefixes" / "student"
        told = "The student reads queries with no prefix (student.query_prefix), and the teacher with 'query: '."
        assert data_facts(workspace).notes.count(told) == more


def test_an_export_for_colbert_has_its_keys_beside_the_others_and_a_card_that_says_so(open_colbert, tmp_path):
    student = made(tmp_path / "bert", "bert", "colbert", "one")
    folder = Path(export(open_colbert(student, trained=True), "colbert")["student"])
    assert folder == tmp_path / "run" / "export-colbert"
    metadata = json.loads((folder / "artifact.metadata").read_text())
    assert (metadata["query_maxlen"], metadata["doc_maxlen"], metadata["dim"]) == (12, 128, 16)
    assert {"optical.json", "modules.json", "tokenizer.json"} <= {file.name for file in folder.iterdir()}
    again = load_encoder(folder).eval()
    for role in ("query", "document"):
        ours, theirs = (encode_texts(each, ["hello", "the rain"], role, 12) for each in (student, again))
        assert all(torch.equal(*pair) for pair in zip(ours, theirs, strict=True))
    assert "The folder has ColBERT's keys too" in (folder / "README.md").read_text()
    assert "ColBERT's keys" not in (folder.parent / "export" / "README.md").read_text()


def test_a_student_that_colbert_cannot_hold_is_refused_before_it_is_trained(open_colbert, encoder, monkeypatch):
    trained = []
    monkeypatch.setattr(STUDENT, "made_from", lambda workspace: [])
    monkeypatch.setattr(STUDENT, "make", lambda *_: trained.append(True))
    session = open_colbert(encoder, trained=False)
    with pytest.raises(UserError, match="ColBERT's format: "):
        export(session, "colbert")
    assert not trained and not list(session.run_dir.glob("export*"))


def test_a_query_length_that_colbert_does_not_keep_is_refused(open_colbert, tmp_path):
    session = open_colbert(made(tmp_path / "bert", "bert", "colbert", "one"), trained=True)
    base = session.workspace.recipe
    session.workspace.recipe = replace(base, teacher=replace(base.teacher, query_length=8))
    with pytest.raises(UserError, match="ColBERT's format: reads 12 tokens of a query, and here it is cut to 8"):
        export(session, "colbert")
    assert not list(session.run_dir.glob("export*"))


def test_the_format_of_an_export_is_a_flag_of_that_verb_alone():
    assert parse(["export", "demo"])[1].format == "transformers"
    assert parse(["export", "demo", "--format", "colbert"])[1].format == "colbert"
    for line in (["export", "demo", "--format", "other"], ["run", "demo", "--format", "colbert"]):
        with pytest.raises(UserError, match="format"):
            parse(line)


def test_an_export_is_made_anew_when_its_card_has_more_to_say(open_session):
    folder = Path(export(open_session())["student"])
    assert "Nothing yet" in (folder / "README.md").read_text()
    (folder.parent / "evaluation.json").write_text(json.dumps(EVALUATION))
    export(open_session())
    assert "0.250 (0.200, 0.300)" in (folder / "README.md").read_text()
    before = (folder / "README.md").stat().st_mtime_ns
    export(open_session())
    assert (folder / "README.md").stat().st_mtime_ns == before


def test_the_report_of_the_same_run_shows_its_problem_its_data_and_its_command(open_session):
    recipe = open_session().workspace.recipe
    trained = replace(recipe.objective, method="partial", mass=0.5, cost="angular")
    session = open_session(replace(recipe, objective=trained))
    with Journal(session.run_dir / "student" / "metrics.jsonl") as journal:
        journal.write("step", step=1, loss=0.5, unconverged=0.0)
    note_work(session.run_dir, "train", 3.0, session.workspace.settings.resources)
    measured = Measured({name: {"q": 0.5} for name in MEASURES}, dict.fromkeys(MEASURES, 0.5), ())
    content = report_content(session, Comparison({"zero_shot": measured}, {}, {}))
    assert content.problem.startswith("Method partial, angular cost, mass 0.5, epsilon 0.1")
    assert content.problem.endswith("held out of training.")
    assert [picture.plan.sum() for picture in content.plans] == pytest.approx([0.5] * 3, abs=1e-3)
    _, command = parse(shlex.split(content.command)[3:])
    assert (command.recipe, command.settings.resources.num_workers) == (session.workspace.recipe, 2)
    assert (content.collection.passages, content.collection.judgements) == (3, 1)
    assert content.data.notes[0].startswith(
        "Of the accepted pairs 80 were trained on, 16 held out for the dev measures"
    )
    assert [fact.language for fact in content.data.datasets][0] == "Somali (low resource)"
    assert [(work.verb, work.seconds) for work in content.work] == [("train", 3.0)]
