"""Make .venv ready: the right torch for this machine, the hash-pinned lock, and this package, in place.

Uses the standard library only, and skips whatever is installed already; run it as often as you like.
``OPTICAL_TORCH=cpu`` or ``OPTICAL_TORCH=cuda`` overrides the choice of the torch build.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
READY = VENV / ".ready"
TORCH = "2.13.0"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PLAIN_NOTE = """
************************************************************************************
No CPU build of torch was found, so the default build is installed instead.
On Linux it brings the CUDA libraries along: several gigabytes to download and keep.
Stop with Ctrl-C, and point pip at a CPU wheel (PIP_FIND_LINKS), if that is too much.
************************************************************************************
"""
_PROBE = """
import importlib.metadata as metadata, json
print(json.dumps({d.name: [d.version, d.read_text("direct_url.json") or ""] for d in metadata.distributions()}))
"""


class BootstrapError(Exception):
    """A step failed; the message says which, why, and what to do."""


def python_in(folder: Path) -> Path:
    """The interpreter of the virtual environment in ``folder``."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def normal(name: str) -> str:
    """A distribution name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(text: str) -> dict[str, str]:
    """Name to version of every pin in a lock file."""
    return {normal(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE)}


def installed() -> dict[str, list[str]]:
    """Name to (version, direct_url.json) of everything in the virtual environment."""
    result = subprocess.run([python_in(VENV), "-c", _PROBE], capture_output=True, text=True, check=True)
    return {normal(name): facts for name, facts in json.loads(result.stdout).items()}


def wanted_torch(environment: dict[str, str], system: str, has_gpu: Callable[[], bool]) -> str:
    """Which torch build this machine needs: ``cpu``, ``cuda`` or, on macOS, ``plain``.

    Raises:
        BootstrapError: OPTICAL_TORCH holds another word.
    """
    choice = environment.get("OPTICAL_TORCH", "")
    if choice not in ("", "cpu", "cuda"):
        raise BootstrapError(f"OPTICAL_TORCH: is {choice!r}, only cpu and cuda are known; set one of them or unset it")
    if system == "Darwin":
        return "plain"
    return choice or ("cuda" if has_gpu() else "cpu")


def gpu_present() -> bool:
    """Whether nvidia-smi is here and finds a working GPU."""
    tool = shutil.which("nvidia-smi")
    return tool is not None and subprocess.run([tool], capture_output=True, check=False).returncode == 0


def torch_serves(version: str | None, build: str) -> bool:
    """Whether an installed torch version is the pinned one, and a CUDA build where CUDA is wanted."""
    if version is None or version.split("+")[0] != TORCH:
        return False
    return build != "cuda" or not version.endswith("+cpu")


def torch_attempts(build: str) -> list[list[str]]:
    """The pip arguments to try in turn for a torch build.

    ``===`` compares the whole version string, so a CPU wheel at hand is not taken for the CUDA build.
    The CPU build's own dependencies are all in the lock; the CUDA build brings more, hence its dependencies.
    """
    if build == "cuda":
        return [[f"torch==={TORCH}"]]
    if build == "plain":
        return [["--no-deps", f"torch=={TORCH}"]]
    cpu = ["--no-deps", f"torch=={TORCH}+cpu"]
    return [cpu, [*cpu, "--retries", "1", "--index-url", CPU_INDEX], [f"torch==={TORCH}"]]


def pip(*arguments: str) -> subprocess.CompletedProcess:
    """Run the virtual environment's pip quietly and return what happened."""
    command = [str(python_in(VENV)), "-m", "pip", "--disable-pip-version-check", "-q", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def install_torch(build: str) -> None:
    """Install the first torch that one of the attempts finds.

    Raises:
        BootstrapError: no attempt worked.
    """
    attempts = torch_attempts(build)
    for number, attempt in enumerate(attempts):
        if build == "cpu" and number == len(attempts) - 1:
            print(PLAIN_NOTE, flush=True)
        result = pip("install", *attempt)
        if result.returncode == 0:
            return
    raise BootstrapError(
        f"torch {TORCH} ({build} build): pip found none;"
        f" check the network or point PIP_FIND_LINKS at a wheel\n{result.stderr.strip()[-2000:]}"
    )


def install(what: str, *arguments: str) -> None:
    """Run one pip install.

    Raises:
        BootstrapError: pip failed.
    """
    result = pip("install", *arguments)
    if result.returncode != 0:
        raise BootstrapError(f"{what}: pip failed; mend what it says below and rerun\n{result.stderr.strip()[-2000:]}")


def step(name: str, needed: bool, action: Callable[[], object]) -> None:
    """Do one step if it is needed, and print one line with its time either way."""
    start = time.monotonic()
    if needed:
        print(f"bootstrap  {name} ...", flush=True)
        action()
    word = f"done in {time.monotonic() - start:.0f} s" if needed else "already there"
    print(f"bootstrap  {name}: {word}", flush=True)


def bootstrap() -> None:
    """Create the virtual environment if missing and install whatever it lacks."""
    build = wanted_torch(dict(os.environ), platform.system(), gpu_present)
    step("virtual environment .venv", not python_in(VENV).exists(), lambda: venv.create(VENV, with_pip=True))
    identity = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    have = installed()
    step(
        f"torch {TORCH} ({build} build)",
        not torch_serves(have.get("torch", [None])[0], build),
        lambda: install_torch(build),
    )
    have = installed()
    pins = locked(LOCK.read_text())
    step(
        f"{len(pins)} packages of {LOCK.name}",
        any(have.get(name, [None])[0] != version for name, version in pins.items()),
        lambda: install(LOCK.name, "--no-deps", "--require-hashes", "-r", str(LOCK)),
    )
    in_place = ROOT.as_uri() in have.get("optical-clir", ["", ""])[1]
    current = READY.exists() and READY.read_text() == identity
    step(
        "this package, in place",
        not (in_place and current),
        lambda: install("this package", "--no-deps", "--no-build-isolation", "-e", "."),
    )
    READY.write_text(identity)


def main() -> int:
    """Bootstrap, turning failures into one message and exit code 5."""
    if sys.version_info < (3, 11):  # noqa: UP036 - the user's python3 may be older
        print(f"bootstrap: Python {platform.python_version()} is too old; use 3.11 or newer", file=sys.stderr)
        return 2
    try:
        bootstrap()
    except BootstrapError as error:
        print(f"bootstrap: {error}", file=sys.stderr)
        return 5
    return 0


if __name__ == "__main__":
    sys.exit(main())
