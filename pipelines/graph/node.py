"""Nodes of the artefact graph: each declares one artefact; fingerprint, folder, lock and skipping follow from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from optical import artefacts
from optical.artefacts import Fingerprint, locked
from optical.recipe import Recipe
from optical.tracking.progress import LineWriter

if TYPE_CHECKING:
    from pipelines.graph.workspace import Context, Workspace


@dataclass(kw_only=True, eq=False)
class Node:
    """The declaration of one artefact.

    Whoever changes what ``make`` writes for the same input raises ``version``. It is part of the fingerprint of the
    artefact and of its descendants, so what an older version made is made anew, and the command reports it.
    ``tests/doors/test_products.py`` keeps a small product of each maker, and fails when one changes under an unchanged
    version.

    Args:
        kind: its name in fingerprints and folders.
        version: version of its maker; None for given data and for steps that leave no artefact, which have no folder
            and no lock.
        made_from: everything that decides the content: values of the recipe, hashes of data, and parent nodes.
        make: writes the artefact; receives the session, the path and the fingerprint. Without a version it is called
            once in every session, with those of the run.
        format: kind in the manifest; ``kind`` if it is empty.
        after: nodes that come before this one, although they do not decide its content.
        needed: whether a run of a recipe needs this artefact.
        otherwise: the node that takes its place in a run that does not need it.
        folder: where it is made; by default a folder that runs share, named by kind and fingerprint.
        inner: path of the artefact inside the folder, if other files of its making remain next to it.
        partial: whether ``make`` looks for missing parts itself, and is called in every session.
    """

    kind: str
    version: int | None = None
    made_from: Callable[[Workspace], Sequence[object]] = lambda workspace: ()
    make: Callable[[Context, Path, Fingerprint], object] | None = None
    format: str = ""
    after: Sequence[Node] = ()
    needed: Callable[[Recipe], bool] = lambda recipe: True
    otherwise: Node | None = None
    folder: Callable[[Workspace], Path] | None = None
    inner: str = ""
    partial: bool = False

    def for_recipe(self, recipe: Recipe) -> Node | None:
        """The node that stands here in a run of ``recipe``, if any."""
        if self.needed(recipe):
            return self
        return self.otherwise and self.otherwise.for_recipe(recipe)

    def ensure(self, session: Context) -> None:
        """Make the artefact if it is missing or damaged, locked against other processes.

        Runs share artefacts, so two processes may need the same one at the same time: the second waits, and then finds
        the artefact. If another version of a maker made the same content before, this is reported.
        """
        workspace = session.workspace
        if self.make is None:
            return
        if self.version is None:
            self.make(session, workspace.run_dir, workspace.fingerprint)
            return
        path, identity = workspace.path(self), workspace.fingerprint_of(self)
        with locked(path):
            if self.partial or not artefacts.exists(path, self.format or self.kind, identity):
                if not path.exists():
                    _report_other_version(workspace.shared, identity)
                self.make(session, path, identity)


def _report_other_version(shared: Path, identity: Fingerprint) -> None:
    if found := artefacts.other_version(shared, identity):
        name, versions = found
        changed = artefacts.version_changes(versions, identity.versions)
        LineWriter().show(f"{name} was made by {changed}; making it anew", final=True)
