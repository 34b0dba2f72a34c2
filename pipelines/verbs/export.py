"""export: the student as a folder that ``AutoModel`` and ``AutoTokenizer`` load."""

import json
import shutil
from pathlib import Path

from optical import artefacts
from pipelines.session import Session
from pipelines.verbs.train import ENCODER, train

KIND = "export"

_CARD = """---
language: {source}
library_name: transformers
tags: [late-interaction, colbert, cross-lingual, optical]
---
# OPTICAL student for {source} queries

A query encoder for `{source}`, distilled from the English teacher `{teacher}` by optimal transport over bitext
(Huang, Yu and Allan 2023, arXiv:2301.12566). It gives one vector per token, {dim} dimensions; normalise each to unit
length. Documents are encoded by the teacher, and one English index serves this student as it serves the teacher.

* recipe `{recipe}`, fingerprint `{fingerprint}`
* bitext: {bitext}
* queries up to {query_length} tokens; every token scores, [CLS] and [SEP] included; no marker, no augmentation
{dense}"""


def export(session: Session) -> dict:
    """Write ``<run>/export`` unless it is there; returns its path."""
    train(session)
    workspace = session.workspace
    path = session.run_dir / "export"
    with session.making(path, KIND, workspace.export_fingerprint) as needed:
        if not needed:
            return {"student": str(path)}
        encoder = artefacts.read(workspace.student, ENCODER, workspace.student_fingerprint)
        with artefacts.writing(path, KIND, workspace.export_fingerprint) as scratch:
            shutil.copytree(
                encoder.path, scratch, dirs_exist_ok=True, ignore=shutil.ignore_patterns(artefacts.MANIFEST)
            )
            _write_facts(session, scratch, encoder.info["dim"])
    return {"student": str(path)}


def _write_facts(session: Session, folder: Path, dim: int) -> None:
    workspace = session.workspace
    recipe = workspace.recipe
    facts = {
        "fingerprint": workspace.fingerprint,
        "teacher": workspace.teacher_fingerprint,
        "query_length": recipe.teacher.query_length,
        "document_length": recipe.teacher.document_length,
        "dim": dim,
    }
    (folder / "optical.json").write_text(json.dumps(facts, indent=2) + "\n")
    dense = "* the last layer's output goes through the linear map in `1_Dense` before it is normalised\n"
    card = _CARD.format(
        source=recipe.bitext.source,
        teacher=recipe.teacher.weights,
        dim=dim,
        recipe=recipe.name,
        fingerprint=workspace.fingerprint[:12],
        bitext=", ".join(recipe.bitext.datasets),
        query_length=recipe.teacher.query_length,
        dense=dense if (folder / "1_Dense").is_dir() else "",
    )
    (folder / "README.md").write_text(card)
