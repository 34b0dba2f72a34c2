"""Where a run happens: folders, mirror, resources. Nothing here changes a result or a fingerprint."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from optical.config import Resources


def _default_cache() -> Path:
    return Path(os.environ.get("OPTICAL_CACHE", Path.home() / ".cache" / "optical"))


def _default_mirror() -> str | None:
    return os.environ.get("OPTICAL_MIRROR")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where a run happens."""

    runs_dir: Path = Path("runs")
    """Folder of all runs; artefacts that runs share are in its ``shared`` folder."""
    run_name: str | None = None
    """Name of this run's folder; by default ``<recipe>-<first 12 digits of the fingerprint>``."""
    cache: Path = field(default_factory=_default_cache)
    """Folder of fetched data (``OPTICAL_CACHE``)."""
    mirror: str | None = field(default_factory=_default_mirror)
    """Folder or URL that is tried before a data set's origin (``OPTICAL_MIRROR``)."""
    resources: Annotated[Resources, tyro.conf.arg(name="")] = field(default_factory=Resources)
    """Workers and GPUs."""
