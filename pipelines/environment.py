"""The environment of a run: folders, mirror, workers. Nothing here changes a result or a fingerprint."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from optical.cache import default_cache
from optical.errors import UserError
from optical.resources import Resources

SHARED = "shared"
"""The folder of artefacts that runs share, next to the folders of the runs."""


def _default_mirror() -> str | None:
    return os.environ.get("OPTICAL_MIRROR")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The recipe's file, the folders of a run, and the mirror of data sets."""

    recipe: str | None = None
    """Recipe of your own instead of a registered one: ``my_recipes.py:my_recipe``, or the ``run.json`` of a run."""
    runs_dir: Path = Path("runs")
    """Folder of all runs; artefacts that runs share are in its ``shared`` folder."""
    run_name: str | None = None
    """Name of this run's folder; by default ``<recipe>-<first 12 digits of the fingerprint>``."""
    cache: Path = field(default_factory=default_cache)
    """Folder of fetched data and unpacked weights (``OPTICAL_CACHE``)."""
    mirror: str | None = field(default_factory=_default_mirror)
    """Folder or URL that is tried before a data set's origin (``OPTICAL_MIRROR``)."""
    resources: Annotated[Resources, tyro.conf.arg(name="")] = field(default_factory=Resources)
    """Workers and GPUs."""

    def __post_init__(self) -> None:
        # Path has replaced two slashes by one.
        if scheme := re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(self.runs_dir)):
            what = f"is {self.runs_dir}, and runs are kept in a folder of the file system, not at {scheme[0]}/"
            raise UserError("--runs-dir", what, "give a folder; on a cluster one that every machine sees")
        name = self.run_name
        if name is not None and (name in ("", ".", "..", SHARED) or Path(name).name != name):
            what = f"is {name!r}, and a run's folder lies in the runs folder, beside {SHARED!r}"
            raise UserError("--run-name", what, "give one plain name; --runs-dir says where")
