"""export: the student as a folder that ``AutoModel`` and ``AutoTokenizer`` load."""

import json
import shutil
from pathlib import Path

from optical import artefacts
from optical.artefacts import Artefact
from optical.model.folder import DENSE
from pipelines.facts import data_facts
from pipelines.model_card import model_card
from pipelines.public import public_name, public_recipe
from pipelines.session import Session
from pipelines.verbs.train import ENCODER, train

KIND = "export"


def export(session: Session) -> dict:
    """Write ``<run>/export`` unless it is there with the same card; returns its path."""
    train(session)
    path = session.run_dir / "export"
    encoder = artefacts.read(session.workspace.student, ENCODER, session.workspace.student_fingerprint, verify=False)
    files = {"README.md": _card(session, encoder), "optical.json": _facts(session, encoder)}
    made_from = session.workspace.export_fingerprint(files)
    with session.making(path, KIND, made_from) as needed:
        if needed:
            with artefacts.writing(path, KIND, made_from) as scratch:
                _write(encoder, files, scratch)
    return {"student": str(path)}


def _write(encoder: Artefact, files: dict[str, str], folder: Path) -> None:
    artefacts.read(encoder.path, ENCODER, encoder.fingerprint)
    shutil.copytree(encoder.path, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(artefacts.MANIFEST))
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def _card(session: Session, encoder: Artefact) -> str:
    workspace, measured = session.workspace, session.run_dir / "evaluation.json"
    return model_card(
        public_recipe(workspace.recipe),
        workspace.fingerprint,
        encoder.info["dim"],
        projected=encoder.file(DENSE).is_dir(),
        data=data_facts(workspace, public_name),
        evaluation=json.loads(measured.read_text()) if measured.exists() else None,
    )


def _facts(session: Session, encoder: Artefact) -> str:
    """What a program needs to know to use the student."""
    workspace = session.workspace
    facts = {
        "fingerprint": workspace.fingerprint,
        "teacher": workspace.teacher_fingerprint,
        "query_length": workspace.recipe.teacher.query_length,
        "document_length": workspace.recipe.teacher.document_length,
        "dim": encoder.info["dim"],
    }
    return json.dumps(facts, indent=2) + "\n"
