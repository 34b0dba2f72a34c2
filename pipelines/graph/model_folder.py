"""The student as a folder that ``AutoModel`` and ``AutoTokenizer`` load."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from optical import artefacts
from optical.artefacts import Artefact
from optical.model.weights import DENSE
from pipelines.graph.node import Node, Step
from pipelines.graph.student import STUDENT
from pipelines.graph.teacher import TEACHER

if TYPE_CHECKING:
    from pipelines.graph.workspace import Workspace
    from pipelines.session import Session


class ModelFolder(Node):
    """The student's encoder with a model card, for use without this project."""

    kind = "export"
    version = 1
    format = "export"

    def parents(self, workspace: Workspace) -> list[Step]:
        """The student; the model card cannot be written before it is made."""
        return [STUDENT]

    def made_from(self, workspace: Workspace) -> list[object]:
        """The identity of the run, and the texts that go with the student."""
        return [workspace.fingerprint, _texts(workspace)]

    def path(self, workspace: Workspace) -> Path:
        """In the run's own folder."""
        return workspace.run_dir / "export"

    def make(self, session: Session, missing: list) -> None:
        """Copy the student and write the texts."""
        workspace = session.workspace
        _, files = workspace.parts(self)
        with artefacts.writing(workspace.path(self), self.format, workspace.fingerprint_of(self)) as scratch:
            manifest = shutil.ignore_patterns(artefacts.MANIFEST)
            shutil.copytree(workspace.path(STUDENT), scratch, dirs_exist_ok=True, ignore=manifest)
            for name, text in files.items():
                (scratch / name).write_text(text, encoding="utf-8")


MODEL_FOLDER = ModelFolder()


def _texts(workspace: Workspace) -> dict[str, str]:
    """The model card, and the file of facts for programs."""
    student = artefacts.read(workspace.path(STUDENT), STUDENT.format, verify=False)
    return {"README.md": _card(workspace, student), "optical.json": _facts(workspace, student)}


def _card(workspace: Workspace, student: Artefact) -> str:
    from pipelines.facts import data_facts
    from pipelines.model_card import model_card
    from pipelines.public import public_name, public_recipe

    measured = workspace.run_dir / "evaluation.json"
    return model_card(
        public_recipe(workspace.recipe),
        workspace.fingerprint,
        student.info["dim"],
        projected=student.file(DENSE).is_dir(),
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
