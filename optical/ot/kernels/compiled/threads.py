"""Threads for the compiled kernel: torch's own where possible.

torch computes on OpenMP threads, which spin while they wait for the next operation, so other threads would compete with
them for the cores. GNU's OpenMP library, which torch uses on Linux, can run a function on these same threads within
microseconds. Elsewhere Python threads are used: a call of C releases the interpreter's lock.
"""

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from pathlib import Path

import torch

_CALL = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def run_on_threads(function: int, data: int, threads: int) -> None:
    """Call the C function at an address with ``data`` on ``threads`` threads in parallel, and wait for all of them."""
    if threads > 1 and (parallel := _openmp()):
        parallel(function, data, threads, 0)
        return
    call = _CALL(function)
    if threads == 1:
        call(data)
    else:
        others = [_pool(os.getpid(), threads).submit(call, data) for _ in range(threads - 1)]
        call(data)
        for other in others:
            other.result()


@cache
def _openmp() -> ctypes._CFuncPtr | None:
    """``GOMP_parallel``, which runs a function on OpenMP threads, from torch's library; None without it."""
    for library in (Path(torch.__file__).parent / "lib").glob("libgomp*"):
        parallel = getattr(ctypes.CDLL(str(library)), "GOMP_parallel", None)
        if parallel is not None:
            parallel.restype = None
            parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
            return parallel
    return None


@lru_cache(maxsize=4)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Threads of this process; a fork inherits this cache but not the threads."""
    del process
    return ThreadPoolExecutor(threads, "optical-ot")
