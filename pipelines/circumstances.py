"""The circumstances of work: the time, the machine and the versions of each verb, kept in the folder of the run."""

import os
import platform
import subprocess
from pathlib import Path

import optical
from optical.made_with import made_with
from optical.resources import Resources
from optical.tracking.journal import Journal

WORK = "work.jsonl"
_LIBRARIES = ("torch", "ray", "transformers", "tokenizers", "faiss-cpu", "numba", "ir-measures")
_CGROUP_MEMORY = Path("/sys/fs/cgroup/memory.max")


def note_work(run_dir: Path, verb: str, seconds: float, resources: Resources) -> None:
    """Append the work of a verb; its machine and versions are those of this process."""
    with Journal(run_dir / WORK) as journal:
        journal.write(
            "work", verb=verb, seconds=round(seconds, 2), machine=machine(resources), versions=", ".join(versions())
        )


def machine(resources: Resources) -> str:
    """Processor, cores, memory, GPUs, system, the workers, and the cluster where there is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    workers = f"{resources.num_workers} worker(s) {'with a GPU each' if resources.use_gpu else 'on CPUs'}"
    parts = [_processor(), f"{cores} cores", f"{_memory() / 2**30:.0f} GiB of memory", _gpus(), _system(), workers]
    return ", ".join([*filter(None, parts), *_cluster()])


def versions() -> list[str]:
    """Python, this project with its commit, and the libraries whose version can change a number."""
    own = f"optical {optical.__version__}" + (f" (commit {found})" if (found := commit()) else "")
    made = made_with()
    return [f"Python {made['python']}", own, *(f"{name} {made[name]}" for name in _LIBRARIES)]


def commit() -> str | None:
    """The commit of this project's checkout, and whether files differ from it; None outside such a checkout."""
    here = Path(optical.__file__).parent
    # A virtual environment may be inside another repository; only this project's repository has this file.
    if _git(here, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    head = _git(here, "rev-parse", "--short=12", "HEAD")
    changed = _git(here.parent, "status", "--porcelain", "--untracked-files=no")
    return f"{head} with local changes" if head and changed else head


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        ran = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ran.stdout.strip() if ran.returncode == 0 else None


def _processor() -> str:
    """The name of the processor on Linux; on other systems the name that Python gives."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> int:
    """Bytes of the machine, or of the container if that has less."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = _CGROUP_MEMORY.read_text().strip() if _CGROUP_MEMORY.is_file() else "max"
    return whole if limit == "max" else min(whole, int(limit))


def _gpus() -> str:
    import torch

    if not torch.cuda.is_available():
        return "no GPU"
    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform(terse=True)


def _cluster() -> list[str]:
    """The size of a cluster. A local Ray is left out: it counts logical cores that the machine does not have."""
    if "RAY_ADDRESS" not in os.environ:
        return []
    import ray

    have = ray.cluster_resources()
    kinds = [name.partition(":")[2] for name in have if name.startswith("accelerator_type:")]
    alive = sum(node["Alive"] for node in ray.nodes())
    gpus = f"{have.get('GPU', 0):.0f} GPUs" + (f" ({', '.join(kinds)})" if kinds else "")
    return [f"driving a Ray cluster of {alive} machine(s) with {have.get('CPU', 0):.0f} CPUs and {gpus}"]
