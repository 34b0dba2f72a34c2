"""doctor: what this machine has, and what a recipe would miss on it."""

import importlib.metadata
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from optical.config import TeacherConfig
from optical.data.entry import GENERATOR, DataSet
from optical.data.resolve import cached_path
from optical.data.sources import parse_source
from optical.errors import OpticalError
from optical.model.weights import find_weights
from pipelines.checks import faults
from pipelines.workspace import Workspace

_LIBRARIES = ("torch", "ray", "transformers", "faiss-cpu", "mlflow", "pot", "pyarrow", "ir-measures")
_LEAST_FREE_GB = 5


@dataclass(frozen=True)
class Finding:
    """One thing looked at: whether it is fine, and what was seen."""

    what: str
    fine: bool
    seen: str


def doctor(workspace: Workspace) -> list[Finding]:
    """Look at Python, libraries, processors, disk, data and teacher; nothing is fetched or written."""
    findings = [Finding("python", sys.version_info >= (3, 11), platform.python_version())]
    findings += [_library(name) for name in _LIBRARIES]
    findings.append(Finding("cores", True, str(os.cpu_count())))
    gpus = torch.cuda.device_count()
    resources = workspace.settings.resources
    enough = not resources.use_gpu or gpus >= resources.fewest_workers
    seen = f"{gpus} ({torch.cuda.get_device_name(0)})" if gpus else "none; CPUs train too"
    findings.append(Finding("gpus", enough, seen))
    free = shutil.disk_usage(".").free / 1e9
    findings.append(Finding("free disk", free > _LEAST_FREE_GB, f"{free:.0f} GB"))
    findings.append(Finding("mirror", True, workspace.settings.mirror or "none (OPTICAL_MIRROR is not set)"))
    recipe = workspace.recipe
    pairs = recipe.teacher.scratch.pairs if recipe.teacher.scratch else ()
    findings += [_data(spec, workspace) for spec in (*recipe.bitext.datasets, *pairs, recipe.evaluation.collection)]
    findings.append(_teacher(recipe.teacher))
    known = None if recipe.teacher.scratch or recipe.teacher.revision or not findings[-1].fine else workspace.pretrained
    findings += [Finding(fault.where, False, str(fault)) for fault in faults(recipe, known)]
    return findings


def _library(name: str) -> Finding:
    try:
        return Finding(name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, False, "not installed; run make, which installs the lock")


def _data(spec: str, workspace: Workspace) -> Finding:
    what = f"data {spec}"
    if Path(spec).is_dir():
        return Finding(what, True, "local folder")
    try:
        found = parse_source(spec)
    except OpticalError as error:
        return Finding(what, False, str(error))
    if not isinstance(found, DataSet):
        return Finding(what, True, f"{len(found.paths)} local file(s)")
    if found.origin == GENERATOR:
        return Finding(what, True, "generated here")
    settings = workspace.settings
    cached = all(cached_path(found, file, settings.cache).exists() for file in found.files)
    mirrored = settings.mirror and all((Path(settings.mirror) / file.mirror).exists() for file in found.files)
    where = "in the cache" if cached else "in the mirror" if mirrored else f"to be fetched from {found.origin}"
    return Finding(what, True, f"{where}, {found.licence}")


def _teacher(config: TeacherConfig) -> Finding:
    if config.weights == "scratch" or (config.revision and not Path(config.weights).is_dir()):
        return Finding("teacher", True, f"{config.weights} {config.revision or ''}".strip())
    try:
        return Finding("teacher", True, str(find_weights(config.weights)))
    except OpticalError as error:
        return Finding("teacher", False, str(error))
