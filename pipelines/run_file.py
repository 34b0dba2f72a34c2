"""``run.json``: the recipe and the identity of a run folder, compared with a recipe that wants to use the folder."""

import json
import logging
from collections.abc import Sequence

from optical.artefacts import version_changes, write_json
from optical.errors import UserError
from optical.made_with import changes, made_with
from optical.recipe import Recipe, decisive, differences
from pipelines.graph.node import Node
from pipelines.graph.workspace import Workspace

RUN_FILE = "run.json"
log = logging.getLogger(__name__)


def claim_run_file(workspace: Workspace, given: Sequence[Node] = ()) -> None:
    """Write the run folder's ``run.json``, or compare with an existing one; changed libraries give a warning.

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
        write_json(path, {**recipes, **identity, "origin": origin, "made_with": made_with()})
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
    else:
        what, advice = "it was made from other data or another teacher's weights", "undo the change"
    return UserError(workspace.run_dir, what, f"give this run another --run-name, or {advice}")


def _decisive_differences(old: dict, recipe: Recipe) -> list[str]:
    """Differences without the idle fields, which cannot be the reason for another fingerprint."""
    new = recipe.as_dict()
    idle = {line.split(":")[0] for line in differences(decisive(recipe), new)}
    return [line for line in differences(old, new) if line.split(":")[0] not in idle]
