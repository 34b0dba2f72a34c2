"""Sinkhorn on the CPU in machine code, compiled by numba on the user's machine: no C compiler needed."""
