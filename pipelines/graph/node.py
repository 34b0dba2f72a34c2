"""Nodes of the artefact graph: a declaration says what an artefact is made from and how; the rest follows from it."""

# The types of its callers are named in annotations only.
from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from optical import artefacts
from optical.artefacts import Fingerprint
from optical.recipe import Recipe
from optical.tracking.progress import LineWriter

if TYPE_CHECKING:
    from pipelines.graph.workspace import Workspace
    from pipelines.session import Session


class Step:
    """Something to do at its place in the order, once in every session; it has no artefact of its own."""

    after: Sequence[Step] = ()
    """Steps that come before this one, although they do not decide its result."""

    def parents(self, workspace: Workspace) -> list[Step]:
        """Every step that comes before this one, in order."""
        return list(self.after)

    def for_recipe(self, recipe: Recipe) -> Step | None:
        """The step that takes this one's place in a run of ``recipe``; None if the run needs none."""
        return self

    def ensure(self, session: Session) -> None:
        """Do the step."""
        raise NotImplementedError


class Node(Step):
    """The declaration of one artefact.

    A subclass gives the three names below, ``made_from`` and ``make``. Fingerprint, folder, lock, making and skipping
    follow from these. Whoever changes what ``make`` writes for the same input raises ``version``: it is part of the
    fingerprint of the artefact and of its descendants, so what an older version made is made anew, and the command
    reports it. ``tests/doors/test_products.py`` keeps a small product of each maker, and fails when one changes under
    an unchanged version.
    """

    kind: str
    """Name of the artefact in its fingerprint and in its folder's name."""
    version: int
    """Version of its maker."""
    format: str
    """Kind of directory in the manifest, such as ``encoder``; several nodes may share one."""

    def made_from(self, workspace: Workspace) -> list[object]:
        """Everything that decides the content: values of the recipe, hashes of input data, and parent nodes."""
        raise NotImplementedError

    def make(self, session: Session, missing: list) -> None:
        """Write the artefact to its path; ``missing`` is what the method ``missing`` found."""
        raise NotImplementedError

    def folder(self, workspace: Workspace) -> Path:
        """Folder of the artefact; by default it is shared by all runs and named by kind and fingerprint."""
        return workspace.shared / f"{self.kind}-{workspace.fingerprint_of(self)[:12]}"

    def path(self, workspace: Workspace) -> Path:
        """The artefact itself; it may be inside its folder, next to what is left of its making."""
        return self.folder(workspace)

    def missing(self, workspace: Workspace) -> list:
        """Parts that are not made yet; empty when the artefact is complete. Reads every file to verify its hash."""
        path = workspace.path(self)
        return [] if artefacts.exists(path, self.format, workspace.fingerprint_of(self)) else [path]

    def fingerprint(self, workspace: Workspace) -> str:
        """Identity of the artefact: kind, version and everything it is made from."""
        parts = [workspace.fingerprint_of(part) if isinstance(part, Node) else part for part in workspace.parts(self)]
        return Fingerprint.of(self.kind, self.version, *parts)

    def parents(self, workspace: Workspace) -> list[Step]:
        """The steps of ``after``, then the nodes of ``made_from``."""
        return [*self.after, *(part for part in workspace.parts(self) if isinstance(part, Node))]

    def ensure(self, session: Session) -> None:
        """Make the artefact if it is missing, locked against other processes.

        Runs share artefacts, so two processes may need the same one at the same time: the second waits, and then finds
        the artefact. If another version of a maker made the same content before, this is reported.
        """
        workspace = session.workspace
        with _locked(workspace.path(self)):
            if missing := self.missing(workspace):
                self._report_other_version(workspace)
                self.make(session, missing)

    def _report_other_version(self, workspace: Workspace) -> None:
        made_from = workspace.fingerprint_of(self)
        if isinstance(made_from, Fingerprint) and (found := artefacts.other_version(workspace.shared, made_from)):
            name, versions = found
            changed = artefacts.version_changes(versions, made_from.versions)
            LineWriter().show(f"{name} was made by {changed}; making it anew", final=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".lock-{path.name}").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
