"""How numba compiles the kernel: without the interpreter's lock, with NaN and infinity kept, and once per machine.

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

import numba

# Sums may be taken in any order and multiply-adds fused; that there is no NaN and no infinity is not promised to the
# optimiser, since the kernel looks for both.
_CAREFUL = {"contract", "reassoc", "arcp", "nsz"}


def compiled(function: Callable) -> Callable:
    """Compile a function to machine code that runs without the interpreter's lock, and keep it on disk."""
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, _folder()
    try:
        return numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=_CAREFUL)(unwrap(function))
    finally:
        numba.config.CACHE_DIR = before


def inlined(function: Callable) -> Callable:
    """Make a function part of each compiled one that calls it."""
    return numba.njit(inline="always", error_model="numpy", fastmath=_CAREFUL)(unwrap(function))


@cache
def _folder() -> str:
    sources = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    home = numba.config.CACHE_DIR or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return str(Path(home) / "optical-kernels" / sha256(sources).hexdigest()[:16])
