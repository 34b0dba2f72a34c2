"""The student as a folder that ``AutoModel`` and ``AutoTokenizer`` load, and as one that ColBERT loads too."""

import json
import shutil
from pathlib import Path

from optical import artefacts
from optical.artefacts import Artefact
from optical.model.text.roles import Role
from optical.recipe import TeacherConfig
from pipelines.graph.node import Node
from pipelines.graph.student import STUDENT
from pipelines.graph.teacher import ENCODER, TEACHER
from pipelines.graph.workspace import Context, Workspace

_CARD = "README.md"


def _make(session: Context, path: Path, identity: str) -> None:
    workspace = session.workspace
    with artefacts.writing(path, MODEL_FOLDER.kind, identity) as scratch:
        manifest = shutil.ignore_patterns(artefacts.MANIFEST)
        shutil.copytree(workspace.path(STUDENT), scratch, dirs_exist_ok=True, ignore=manifest)
        for name, text in _texts(workspace).items():
            (scratch / name).write_text(text, encoding="utf-8")


def _make_colbert(session: Context, path: Path, identity: str) -> None:
    from optical.model.elsewhere import write_stanford
    from optical.model.storage import load_encoder

    workspace = session.workspace
    student = artefacts.read(workspace.path(STUDENT), ENCODER, verify=False)
    encoder = load_encoder(student.path)
    with artefacts.writing(path, COLBERT_FOLDER.kind, identity) as scratch:
        manifest = shutil.ignore_patterns(artefacts.MANIFEST)
        shutil.copytree(workspace.path(MODEL_FOLDER), scratch, dirs_exist_ok=True, ignore=manifest)
        write_stanford(encoder, scratch, longest_texts(workspace.recipe.teacher))
        (scratch / _CARD).write_text(_card(workspace, student, scratch), encoding="utf-8")


def longest_texts(teacher: TeacherConfig) -> dict[Role, int]:
    """Longest text of each role in tokens."""
    return {"query": teacher.query_length, "document": teacher.document_length}


def _texts(workspace: Workspace) -> dict[str, str]:
    """The model card, and the file of facts for programs."""
    student = artefacts.read(workspace.path(STUDENT), ENCODER, verify=False)
    return {_CARD: _card(workspace, student, student.path), "optical.json": _facts(workspace, student)}


def _card(workspace: Workspace, student: Artefact, folder: Path) -> str:
    """The model card of the student as it lies in a folder."""
    from optical.model.formats.layout import read_layout
    from optical.model.text.reader import load_reader
    from pipelines.facts import data_facts
    from pipelines.model_card import CardEncoder, model_card
    from pipelines.public import public_name, public_recipe

    measured = workspace.run_dir / "evaluation.json"
    return model_card(
        public_recipe(workspace.recipe),
        workspace.fingerprint,
        CardEncoder(
            dim=student.info["dim"],
            layout=read_layout(folder),
            frame=load_reader(folder).frames["query"],
        ),
        data=data_facts(workspace, public_name),
        evaluation=json.loads(measured.read_text()) if measured.exists() else None,
    )


def _facts(workspace: Workspace, student: Artefact) -> str:
    """What a program needs to know to use the student."""
    teacher = workspace.recipe.teacher
    facts = {
        "fingerprint": workspace.fingerprint,
        "teacher": workspace.fingerprint_of(TEACHER),
        "query_length": teacher.query_length,
        "document_length": teacher.document_length,
        "dim": student.info["dim"],
    }
    return json.dumps(facts, indent=2) + "\n"


MODEL_FOLDER = Node(
    kind="export",
    version=1,
    after=(STUDENT,),
    made_from=lambda workspace: [workspace.fingerprint, _texts(workspace)],
    make=_make,
    folder=lambda workspace: workspace.run_dir / "export",
)
"""The student with a model card, for use without this project."""

COLBERT_FOLDER = Node(
    kind="export-colbert",
    version=1,
    made_from=lambda workspace: [MODEL_FOLDER],
    make=_make_colbert,
    folder=lambda workspace: workspace.run_dir / "export-colbert",
)
"""The same folder with ColBERT's keys, which ColBERT loads too."""
