"""The versions of this project and of its libraries with which results were computed.

They are not part of fingerprints, because results agree across them within rounding. Every manifest and ``run.json``
records them.
"""

import platform
from functools import cache
from importlib import metadata

import optical

_LIBRARIES = (
    *("torch", "transformers", "tokenizers", "numpy", "scipy", "numba", "pot", "pyarrow", "ray"),
    *("faiss-cpu", "pycld2", "ir-measures"),
)


@cache
def made_with() -> dict[str, str]:
    """Versions of this project, of Python and of the libraries that affect results, and the platform.

    >>> made_with()["optical"] == optical.__version__
    True
    """
    base = {"optical": optical.__version__, "python": platform.python_version(), "machine": platform.platform()}
    return base | {name: installed(name) or "not installed" for name in _LIBRARIES}


def changes(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Which versions differ between two records, as ``torch 2.12 -> 2.13`` lines; the platform is ignored.

    >>> changes({"torch": "2.12", "machine": "x86_64"}, {"torch": "2.13", "machine": "arm64"})
    ['torch 2.12 -> 2.13']
    """
    compared = [name for name in new if name != "machine" and old.get(name) != new[name]]
    return [f"{name} {old.get(name, 'unknown')} -> {new[name]}" for name in compared]


def installed(package: str) -> str | None:
    """The version of a package; None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
