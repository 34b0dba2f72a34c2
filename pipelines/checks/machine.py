"""Checks of the machine: Python, packages, processors, Ray, disk, mirror."""

import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from optical.cluster import why_unreachable
from optical.made_with import installed
from pipelines.checks import Finding
from pipelines.environment import Settings

_LOCK = Path(__file__).resolve().parents[2] / "requirements.lock"
_LIBRARIES = ("torch", "ray", "transformers", "faiss-cpu", "mlflow", "numba", "pot", "pyarrow", "ir-measures")
_LEAST_FREE_GB = 5


def python(settings: Settings) -> Iterator[Finding]:
    """Whether this Python is new enough."""
    yield Finding("python", sys.version_info >= (3, 11), f"{platform.python_version()}, {sys.executable}")


def packages(settings: Settings) -> Iterator[Finding]:
    """The libraries, and whether every package has the version that the lock pins."""
    for name in _LIBRARIES:
        have = installed(name)
        yield Finding(name, have is not None, have or "not installed; run make setup, which installs the lock")
    if _LOCK.is_file():
        pins = dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", _LOCK.read_text(), re.MULTILINE))
        found = {name: installed(name) for name in pins}
        other = [f"{name} {found[name] or 'missing'}, not {pin}" for name, pin in pins.items() if found[name] != pin]
        seen = f"{'; '.join(other[:3])}; {len(other)} in all: run make setup" if other else f"all {len(pins)} as pinned"
        yield Finding(_LOCK.name, not other, seen)


def processors(settings: Settings) -> Iterator[Finding]:
    """Cores, and the GPUs that ``--use-gpu`` needs."""
    yield Finding("cores", True, str(os.cpu_count()))
    resources = settings.resources
    if not resources.use_gpu and shutil.which("nvidia-smi") is None:
        yield Finding("gpus", True, "none; CPUs train too")
        return
    import torch

    gpus = torch.cuda.device_count()
    here = f"{gpus} ({torch.cuda.get_device_name(0)})" if gpus else f"none that torch {torch.__version__} can use"
    wanted = f"; --use-gpu asks for {resources.fewest_workers}" if resources.use_gpu else ""
    # A remote cluster has its own GPUs, or may start machines that have them.
    fine = not resources.use_gpu or gpus >= resources.fewest_workers or "RAY_ADDRESS" in os.environ
    yield Finding("gpus", fine, here + wanted)


def ray_address(settings: Settings) -> Iterator[Finding]:
    """Whether the cluster that ``RAY_ADDRESS`` names answers."""
    address = os.environ.get("RAY_ADDRESS")
    if address is None:
        yield Finding("ray", True, "a local one, started for the run")
    elif reason := why_unreachable(address):
        seen = f"nothing answers at RAY_ADDRESS {address} ({reason}); unset it to run on this machine"
        yield Finding("ray", False, seen)
    else:
        yield Finding("ray", True, f"RAY_ADDRESS {address}")


def disk(settings: Settings) -> Iterator[Finding]:
    """Whether runs and fetched data can be written, and how much disk is free."""
    for what, folder in (("runs folder", settings.runs_dir), ("cache", settings.cache)):
        there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
        try:
            with tempfile.TemporaryFile(dir=there):
                free = shutil.disk_usage(there).free / 1e9
        except OSError as error:
            yield Finding(
                what, False, f"{folder}: {there} cannot be written ({(error.strerror or str(error)).lower()})"
            )
        else:
            enough = free > _LEAST_FREE_GB
            advice = "" if enough else f", and a run may need {_LEAST_FREE_GB}"
            yield Finding(what, enough, f"{folder}, {free:.0f} GB free{advice}")


def mirror(settings: Settings) -> Iterator[Finding]:
    """Whether the folder of the mirror exists."""
    mirror = settings.mirror
    if mirror is None:
        yield Finding("mirror", True, "none (OPTICAL_MIRROR is not set)")
    else:
        fine = "://" in mirror or Path(mirror).is_dir()
        yield Finding("mirror", fine, mirror if fine else f"{mirror}: no such folder; the origins would be asked")


CHECKS = (python, packages, processors, ray_address, disk, mirror)
