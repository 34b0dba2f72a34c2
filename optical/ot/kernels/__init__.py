"""Kernels: numba on the CPU, Triton on a GPU, and the choice between them and plain torch."""
