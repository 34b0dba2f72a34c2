"""How numba compiles the kernel: with NaN and infinity kept, sums in the order written, and once per machine.

numba's cache on disk looks at the file of a function and not at those it calls, so machine code would outlive a
change of them. Here the folder of the cache is named by the sources of everything compiled. Functions are unwrapped
first: a runtime type checker may have wrapped them, and numba compiles what it is given.
"""

import os
from collections.abc import Callable
from hashlib import sha256
from inspect import unwrap
from pathlib import Path
from typing import Any

import numba
from numba import types

from optical.ot.sinkhorn import relaxation

# Multiply-adds may be fused. Sums are not reordered: the kernel orders them itself, and the exponential relies on it.
_CAREFUL = {"contract"}


def entry_point(function: Callable) -> Any:
    """Compile a function of one address to one that C can call, and keep it on disk where that can be written."""
    folder, before = cache_folder(), numba.config.CACHE_DIR
    options = {"cache": folder is not None, "error_model": "numpy", "fastmath": _CAREFUL}
    numba.config.CACHE_DIR = str(folder or before)
    try:
        return numba.cfunc(types.void(types.voidptr), **options)(unwrap(function))
    finally:
        numba.config.CACHE_DIR = before


def compiled(function: Callable) -> Callable:
    """Compile a function to machine code that runs without the interpreter's lock."""
    return numba.njit(nogil=True, error_model="numpy", fastmath=_CAREFUL)(unwrap(function))


def inlined(function: Callable) -> Callable:
    """Make a function part of each compiled one that calls it."""
    return numba.njit(forceinline=True, error_model="numpy", fastmath=_CAREFUL)(unwrap(function))


def cache_folder() -> Path | None:
    """Where machine code is kept: ``NUMBA_CACHE_DIR``, ``XDG_CACHE_HOME`` or ``~/.cache``; None if not writable."""
    files = [*sorted(Path(__file__).parent.glob("*.py")), Path(relaxation.__file__)]
    sources = b"".join(path.read_bytes() for path in files)
    home = numba.config.CACHE_DIR or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(home) / "optical-kernels" / sha256(sources).hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None
