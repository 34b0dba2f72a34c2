"""The compiled CPU backend: batches over threads, each problem over its real tokens."""

from collections.abc import Callable
from ctypes import Array, addressof
from functools import cache

import torch
from torch import Tensor

from optical.ot.problem import Plan, Potentials, Problem
from optical.ot.settings import Settings
from optical.ot.transported import Transported

_CELLS_PER_THREAD = 1 << 16
_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
_LANES = 8


def unavailable(problem: Problem) -> str | None:
    """Why this backend cannot solve the problem, or ``None`` when it can."""
    if problem.cost.device.type != "cpu":
        return f"the problem is on {problem.cost.device.type}, and the compiled kernel runs on the CPU"
    if problem.cost.dtype != torch.float32:
        return f"the problem is {problem.cost.dtype}, and the compiled kernel works in torch.float32"
    return None


def not_fused(source: Tensor, target: Tensor) -> str | None:
    """Why this backend cannot go from these embeddings to loss and gradient, or ``None`` when it can."""
    if source.device.type != "cpu":
        return f"the embeddings are on {source.device.type}, and the compiled kernel runs on the CPU"
    if source.dtype not in _DTYPES or target.dtype not in _DTYPES:
        return f"the embeddings are {source.dtype} and {target.dtype}, and the compiled kernel works in torch.float32"
    if source.shape[2] % _LANES:
        return f"the embeddings have {source.shape[2]} dimensions, and the compiled kernel takes multiples of {_LANES}"
    return None


def sinkhorn(problem: Problem, settings: Settings, start: Potentials | None) -> Plan:
    """Sinkhorn's algorithm, each problem stopping by itself (see ``sweeps``).

    Args:
        problem: on the CPU, float32.
        settings: epsilon, tolerance and sweeps.
        start: potentials to start from.
    """
    cost = problem.cost.contiguous()
    matrix = torch.empty_like(cost)
    solved = _run(problem.a, problem.b, settings, start, cost=cost, matrix=matrix)
    epsilon = torch.full_like(solved.value, settings.epsilon, dtype=torch.float64)
    converged = solved.marginal_error <= settings.tolerance
    evidence = solved.marginal_error, solved.iterations, converged
    return Plan(problem, solved.potentials.f, solved.potentials.g, epsilon, *evidence, matrix, solved.value)


def transport(
    source: Tensor, target: Tensor, a: Tensor, b: Tensor, settings: Settings, want_target_gradient: bool = False
) -> Transported:
    """Losses and gradients of <P, C> for the cosine cost C = 1 - S T^T, without writing C or P to memory.

    Args:
        source: (batch, source, dim) L2-normalised embeddings on the CPU, in single or half precision.
        target: (batch, target, dim), likewise.
        a: (batch, source) masses, zero on padding.
        b: (batch, target) masses, likewise.
        settings: epsilon, tolerance and sweeps.
        want_target_gradient: whether to compute -P^T S too; a frozen teacher needs none.
    """
    source, target = (side.float().contiguous() for side in (source, target))
    gradients = {"by_source": torch.empty_like(source)}
    if want_target_gradient:
        gradients["by_target"] = torch.empty_like(target)
    return _run(a, b, settings, None, source=source, target=target, **gradients)


def _run(a: Tensor, b: Tensor, settings: Settings, start: Potentials | None, **tensors: Tensor) -> Transported:
    """Solve a batch given by its costs or its embeddings; results go to those of ``tensors`` that are for results."""
    (size, n), m = a.shape, b.shape[1]
    f, g = (torch.empty(side.shape, dtype=torch.float64) for side in (a, b))
    if start is not None:
        f.copy_(start.f), g.copy_(start.g)
    value, error, iterations = torch.empty(size), torch.empty(size), torch.empty(size, dtype=torch.int64)
    tensors |= {"a": a.contiguous(), "b": b.contiguous(), "f": f, "g": g}
    tensors |= {"value": value, "error": error, "iterations": iterations}
    new_job, address, run_together = _kernel()
    job = new_job(
        problems=size,
        n=n,
        m=m,
        dim=tensors["source"].shape[2] if "source" in tensors else 0,
        most=settings.max_iterations,
        relaxed=settings.overrelaxed,
        warm=start is not None,
        inverse=1 / settings.epsilon,
        tolerance=settings.tolerance,
        **{name: tensor.data_ptr() for name, tensor in tensors.items()},
    )
    run_together(address, addressof(job), max(1, min(torch.get_num_threads(), size * n * m // _CELLS_PER_THREAD)))
    return Transported(value, tensors.get("by_source"), tensors.get("by_target"), Potentials(f, g), error, iterations)


@cache
def _kernel() -> tuple[Callable[..., Array], int, Callable[[int, int, int], None]]:
    """How to make a job, the kernel's address, and how to run it: compiled when they are first needed."""
    from optical.ot.compiled.state import new_job
    from optical.ot.compiled.threads import run_together
    from optical.ot.compiled.work import work

    return new_job, work.address, run_together
