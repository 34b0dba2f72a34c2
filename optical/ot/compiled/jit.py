"""How numba compiles the kernel: with NaN and infinity kept, sums in the order written, and once per machine.

numba's cache on disk looks at the file of a function and not at those it calls, so machine code would outlive a
change of them. Here the folder of the cache is named by the sources of the whole package. Functions are unwrapped
first: a runtime type checker may have wrapped them, and numba compiles what it is given.
"""

import os
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from inspect import unwrap
from pathlib import Path
from typing import Any

import numba
from numba import types

# Multiply-adds may be fused. Sums are not reordered: the kernel orders them itself, and the exponential relies on it.
_CAREFUL = {"contract"}


def entry_point(function: Callable) -> Any:
    """Compile a function of one address to one that C can call, and keep it on disk."""
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, _folder()
    try:
        compile_it = numba.cfunc(types.void(types.voidptr), cache=True, error_model="numpy", fastmath=_CAREFUL)
        return compile_it(unwrap(function))
    finally:
        numba.config.CACHE_DIR = before


def compiled(function: Callable) -> Callable:
    """Compile a function to machine code that runs without the interpreter's lock."""
    return numba.njit(nogil=True, error_model="numpy", fastmath=_CAREFUL)(unwrap(function))


def inlined(function: Callable) -> Callable:
    """Make a function part of each compiled one that calls it."""
    return numba.njit(forceinline=True, error_model="numpy", fastmath=_CAREFUL)(unwrap(function))


@cache
def _folder() -> str:
    sources = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    home = numba.config.CACHE_DIR or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return str(Path(home) / "optical-kernels" / sha256(sources).hexdigest()[:16])
