"""Threads for the compiled kernel: those that torch has, where they can be had.

torch computes on OpenMP threads, which after an operation wait for the next one by spinning: other threads would fight
them for the cores. Where the library is GNU's, as in torch's builds for Linux, its entry point gives work to the very
same threads, in microseconds. Elsewhere plain Python threads do: calling C releases the interpreter's lock.
"""

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from pathlib import Path

import torch

_CALL = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def run_together(function: int, data: int, threads: int) -> None:
    """Call the C function at an address with ``data`` on so many threads at once, and wait for all of them."""
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
    """GNU OpenMP's way to run a function on its threads, from the library that torch came with."""
    for library in (Path(torch.__file__).parent / "lib").glob("libgomp*"):
        parallel = getattr(ctypes.CDLL(str(library)), "GOMP_parallel", None)
        if parallel is not None:
            parallel.restype = None
            parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
            return parallel
    return None


@lru_cache(maxsize=4)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Threads of this process (a fork inherits the cache, not the threads)."""
    del process
    return ThreadPoolExecutor(threads, "optical-ot")
