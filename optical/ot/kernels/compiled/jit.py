"""How numba compiles the kernel: NaN and infinity are kept, sums keep their order, and machine code is cached.

numba's disk cache checks the file of a function, but not the files of the functions it calls, so it can return
outdated machine code. Here the name of the cache folder is a hash of all compiled sources. Functions are unwrapped
first, because a run-time type checker may have wrapped them.
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

# Multiply-adds may be fused. Sums are not reordered: the exponential depends on their order.
_FAST_MATH = {"contract"}


def entry_point(function: Callable) -> Any:
    """Compile a function of one address so that C can call it; cache it on disk if the cache folder is writable."""
    folder, before = cache_folder(), numba.config.CACHE_DIR
    options = {"cache": folder is not None, "error_model": "numpy", "fastmath": _FAST_MATH}
    numba.config.CACHE_DIR = str(folder or before)
    try:
        return numba.cfunc(types.void(types.voidptr), **options)(unwrap(function))
    finally:
        numba.config.CACHE_DIR = before


def compiled(function: Callable) -> Callable:
    """Compile a function to machine code that runs without the interpreter's lock."""
    return numba.njit(nogil=True, error_model="numpy", fastmath=_FAST_MATH)(unwrap(function))


def inlined(function: Callable) -> Callable:
    """Compile a function into each compiled function that calls it."""
    return numba.njit(forceinline=True, error_model="numpy", fastmath=_FAST_MATH)(unwrap(function))


def cache_folder() -> Path | None:
    """Folder of cached machine code, in ``NUMBA_CACHE_DIR``, ``XDG_CACHE_HOME`` or ``~/.cache``; None if read-only."""
    files = [*sorted(Path(__file__).parent.glob("*.py")), Path(relaxation.__file__)]
    sources = b"".join(path.read_bytes() for path in files)
    home = numba.config.CACHE_DIR or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(home) / "optical-kernels" / sha256(sources).hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None
