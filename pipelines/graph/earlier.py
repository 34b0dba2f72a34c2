"""A student that an earlier run has trained is copied instead of trained anew.

A student lies in the folder of its run. A recipe with another measure, or with another encoder to compare with, is
another run, and its student has the same fingerprint. A second name for the same run is no such case, whatever other
runs there are: there the user asks for everything that lies in the run's folder to be made again.
"""

import json
import os
import shutil
from pathlib import Path

from optical import artefacts
from optical.artefacts import Fingerprint
from optical.tracking.progress import LineWriter
from pipelines.graph.node import Node
from pipelines.graph.workspace import Workspace
from pipelines.run_file import RUN_FILE


def copied_from_earlier(workspace: Workspace, node: Node, identity: Fingerprint, *beside: str) -> bool:
    """Copy an artefact from another run's folder, if one of the runs beside this one has it; returns whether.

    Args:
        workspace: of the run that needs the artefact.
        node: an artefact in the run's own folder.
        identity: its fingerprint.
        beside: names of the files next to the artefact that are copied too, as far as they are there.
    """
    path, kind = workspace.path(node), node.format or node.kind
    place = path.relative_to(workspace.run_dir)
    runs = {found: found.parents[len(place.parts) - 1] for found in workspace.settings.runs_dir.glob(f"*/{place}")}
    others = {found: _identity(run) for found, run in sorted(runs.items()) if run != workspace.run_dir}
    if workspace.fingerprint in others.values():
        return False
    for found, other in others.items():
        run = runs[found]
        if other and artefacts.exists(found, kind, identity):
            path.parent.mkdir(parents=True, exist_ok=True)
            for name in beside:
                if (found.parent / name).is_file():
                    shutil.copyfile(found.parent / name, path.parent / name)
            _copy(found, path)
            LineWriter().show(f"{node.kind}  that of {run}, which was made from the same", final=True)
            return True
    return False


def _identity(run: Path) -> str | None:
    """The fingerprint of the run in a folder; None if it holds none that can be read."""
    try:
        return str(json.loads((run / RUN_FILE).read_text())["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _copy(source: Path, path: Path) -> None:
    scratch = path.with_name(f".tmp-{path.name}")
    for old in (scratch, path):
        shutil.rmtree(old, ignore_errors=True)
    shutil.copytree(source, scratch, copy_function=_link)
    os.rename(scratch, path)


def _link(source: str, path: str) -> None:
    """A second name for the same bytes where the file system has them; the files of an artefact never change."""
    try:
        os.link(source, path)
    except OSError:
        shutil.copyfile(source, path)
