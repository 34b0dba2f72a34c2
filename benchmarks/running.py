"""What the longer benchmarks have in common: they say how they were run, and run contestants in turn."""

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

import torch

Result = TypeVar("Result")


def heading(module: str, arguments: Sequence[str], packages: Sequence[str]) -> str:
    """The command line, the versions of Python and ``packages``, threads and cores."""
    versions = ", ".join(f"{name} {version_of(name) or 'missing'}" for name in packages)
    python = ".".join(map(str, sys.version_info[:3]))
    threads = f"{torch.get_num_threads()} torch threads, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    return f"`{shlex.join(['python', '-m', module, *arguments])}`\n\nPython {python}, {versions}; {threads}\n"


def version_of(package: str) -> str | None:
    """Version of an installed package; None when it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def in_rounds(contestants: dict[str, Callable[[], Result]], rounds: int) -> dict[str, list[Result]]:
    """What each contestant returned, round by round; a busy moment of the machine falls on everybody."""
    results: dict[str, list[Result]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            results[name].append(run())
    return results


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def mirror() -> Path | None:
    """The folder of real data, when ``OPTICAL_MIRROR`` names one."""
    return Path(os.environ["OPTICAL_MIRROR"]) if os.environ.get("OPTICAL_MIRROR") else None
