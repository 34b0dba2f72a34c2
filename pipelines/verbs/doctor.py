"""doctor: what this machine has, and what a recipe would miss on it."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass

import torch

from optical.data.entry import DataSet
from optical.data.sources import parse_source
from optical.model.weights import PACKAGED
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
    findings.append(
        Finding("gpus", True, f"{gpus} ({torch.cuda.get_device_name(0)})" if gpus else "none; CPUs train too")
    )
    free = shutil.disk_usage(".").free / 1e9
    findings.append(Finding("free disk", free > _LEAST_FREE_GB, f"{free:.0f} GB"))
    findings.append(Finding("mirror", True, workspace.settings.mirror or "none (OPTICAL_MIRROR is not set)"))
    findings += [_data(spec) for spec in workspace.recipe.bitext.datasets]
    findings.append(_teacher(workspace.recipe.teacher.weights))
    return findings


def _library(name: str) -> Finding:
    try:
        return Finding(name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, False, "not installed; run make setup")


def _data(spec: str) -> Finding:
    found = parse_source(spec)
    if isinstance(found, DataSet):
        return Finding(f"bitext {spec}", True, f"{found.origin}, {found.licence}")
    return Finding(f"bitext {spec}", True, f"{len(found.paths)} local file(s)")


def _teacher(weights: str) -> Finding:
    if weights in PACKAGED:
        there = importlib.util.find_spec(PACKAGED[weights].package) is not None
        return Finding("teacher", there, weights if there else f"not installed; {PACKAGED[weights].install}")
    return Finding("teacher", True, weights)
