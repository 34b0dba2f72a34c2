"""``run.json``: the recipe and the identity of a run folder, compared with a recipe that wants to use the folder."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from optical.artefacts import version_changes, write_json
from optical.errors import UserError
from optical.made_with import changes, made_with
from optical.recipe import Recipe, differences, idle_fields
from optical.tracking.progress import LineWriter
from pipelines.graph.compared import compared_names
from pipelines.graph.node import Node
from pipelines.graph.workspace import Workspace

RUN_FILE = "run.json"
_OTHERWISE = "its pairs were compared with other test collections"
log = logging.getLogger(__name__)


def claim_run_file(workspace: Workspace, given: Sequence[Node] = ()) -> None:
    """Write the run folder's ``run.json``, or compare with an existing one; changed libraries give a warning.

    A new run is told apart from an older one of the same recipe whose pairs were compared with other collections.

    Args:
        workspace: of the run.
        given: nodes that no seed decides. A comparison of runs finds the collection by them, and sees other data.

    Raises:
        UserError: the folder is of another recipe, of other data, or of another version of a maker.
    """
    path, made_from = workspace.run_dir / RUN_FILE, workspace.fingerprint
    if not path.exists():
        identity = {"fingerprint": made_from, "content": made_from.content, "versions": made_from.versions}
        origin = {node.kind: workspace.fingerprint_of(node) for node in given if workspace.has(node)}
        recipes = {"recipe": workspace.recipe.as_dict(), "decisive": workspace.decisive}
        circumstances = {"origin": origin, "compared_with": compared_names(workspace), "made_with": made_with()}
        _tell_otherwise_compared(workspace)
        write_json(path, {**recipes, **identity, **circumstances})
        return
    known = json.loads(path.read_text())
    if known["fingerprint"] != made_from:
        raise _refusal(known, workspace)
    if changed := changes(known["made_with"], made_with()):
        log.warning("run %s was begun with other versions: %s", workspace.run_dir, ", ".join(changed))


def _refusal(known: dict, workspace: Workspace) -> UserError:
    made_from = workspace.fingerprint
    if "versions" not in known:
        what, advice = "it was made before makers had versions", "delete it to make it anew"
    elif changed := _decisive_differences(known["recipe"], workspace.recipe):
        what, advice = f"the name belongs to another recipe ({'; '.join(changed)})", "undo the change"
    elif known["content"] == made_from.content:
        what = f"it was made by {version_changes(known['versions'], made_from.versions)}"
        advice = "delete it to make it anew"
    elif other := _comparison_changes(known, workspace):
        what, advice = f"{_OTHERWISE} ({other})", "make the same collections available again"
    else:
        what, advice = "it was made from other data or another teacher's weights", "undo the change"
    return UserError(workspace.run_dir, what, f"give this run another --run-name, or {advice}")


def _comparison_changes(known: dict, workspace: Workspace) -> str:
    """Which test collections a run's pairs are compared with now and were not before, and the reverse."""
    if "compared_with" not in known:
        return "it does not say which" if workspace.recipe.bitext.cleaning.drop_test_leaks else ""
    before, now = set(known["compared_with"]), set(compared_names(workspace))
    changes = {"now also with": now - before, "no longer with": before - now}
    return "; ".join(f"{how} {', '.join(sorted(names))}" for how, names in changes.items() if names)


def _tell_otherwise_compared(workspace: Workspace) -> None:
    """Say why the newest run of this recipe is not continued, if its pairs were compared with other collections."""
    own = [
        (path.stat().st_mtime, path.parent, known)
        for path in workspace.settings.runs_dir.glob(f"*/{RUN_FILE}")
        if (known := _read(path)) and not _decisive_differences(known.get("recipe", {}), workspace.recipe)
    ]
    if not own:
        return
    _, folder, known = max(own, key=lambda run: run[0])
    if changed := _comparison_changes(known, workspace):
        what = f"{folder} is of the same recipe, and {_OTHERWISE} ({changed}); {workspace.run_dir.name} is a new run"
        LineWriter().show(what, final=True)


def _read(path: Path) -> dict:
    """A run file; empty if it is damaged."""
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _decisive_differences(old: dict, recipe: Recipe) -> list[str]:
    """Differences without the idle fields, which cannot be the reason for another fingerprint."""
    idle = set(idle_fields(recipe))
    return [line for line in differences(old, recipe.as_dict()) if line.split(":")[0] not in idle]
