"""The compiled CPU backend: problems are spread over threads, and each is solved over its real tokens only."""

from collections.abc import Callable, Sequence
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
    """Solve by Sinkhorn's algorithm; each problem stops on its own (see ``sweeps``).

    Args:
        problem: on the CPU, float32.
        settings: epsilon, tolerance and sweeps.
        start: potentials to start from.
    """
    cost = problem.cost.contiguous()
    solved = _run(problem.a, problem.b, settings, start, cost=cost, matrix=torch.empty_like(cost))
    epsilon = torch.full_like(solved.value, settings.epsilon, dtype=torch.float64)
    converged = solved.marginal_error <= settings.tolerance
    reached = solved.marginal_error, solved.iterations, converged
    return Plan(problem, solved.potentials.f, solved.potentials.g, epsilon, *reached, solved.matrix, solved.value)


def transport(
    source: Tensor, target: Tensor, a: Tensor, b: Tensor, settings: Settings, want_target_gradient: bool = False
) -> Transported:
    """Losses <P, C> for the cosine cost C = 1 - S T^T, and the plans, without writing C to memory.

    Args:
        source: (batch, source, dim) L2-normalised embeddings on the CPU, in single or half precision.
        target: (batch, target, dim), likewise.
        a: (batch, source) masses, zero on padding.
        b: (batch, target) masses, likewise.
        settings: epsilon, tolerance and sweeps.
        want_target_gradient: unused; ``gradients`` computes gradients later.
    """
    matrix, deviation = torch.empty(*a.shape, b.shape[1]), (torch.empty(len(a)), torch.empty(len(a)))
    sides = {"source": _float32(source), "target": _float32(target)}
    deviations = {"source_deviation": deviation[0], "target_deviation": deviation[1]}
    return _run(a, b, settings, None, **sides, **deviations, matrix=matrix)._replace(norm_deviation=deviation)


def gradients(
    solved: Transported, source: Tensor, target: Tensor, a: Tensor, b: Tensor, upstream: Tensor, wanted: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None]:
    """-P T and -P^T S, each pair's multiplied by its number in ``upstream``, in single precision; zero on padding.

    The plan is kept between the two passes, because it is smaller than the gradients. Scaling gradients while they are
    computed saves a second write.

    Args:
        solved: by ``transport``, for the same embeddings and masses.
        source: (batch, source, dim) embeddings.
        target: (batch, target, dim) embeddings.
        a: (batch, source) masses.
        b: (batch, target) masses.
        upstream: (batch,) derivatives with respect to the losses.
        wanted: whether to compute the source's gradient, and the target's.
    """
    source, target = _float32(source), _float32(target)
    by_source, by_target = (
        torch.empty_like(side) if want else None for side, want in zip((source, target), wanted, strict=True)
    )
    given = {"cost": solved.matrix, "source": source, "target": target, "scale": upstream.float().contiguous()}
    given |= {"by_source": by_source, "by_target": by_target, "a": a.contiguous(), "b": b.contiguous()}
    _run_kernel({name: tensor for name, tensor in given.items() if tensor is not None})
    return by_source, by_target


def _float32(side: Tensor) -> Tensor:
    return side.float().contiguous()


def _run(a: Tensor, b: Tensor, settings: Settings, start: Potentials | None, **tensors: Tensor) -> Transported:
    """Solve a batch that is given by its costs or its embeddings."""
    f, g = (torch.empty(side.shape, dtype=torch.float64) for side in (a, b))
    if start is not None:
        f.copy_(start.f), g.copy_(start.g)
    value, error, iterations = torch.empty(len(a)), torch.empty(len(a)), torch.empty(len(a), dtype=torch.int64)
    tensors |= {"a": a.contiguous(), "b": b.contiguous(), "f": f, "g": g}
    tensors |= {"value": value, "error": error, "iterations": iterations}
    rule = {"inverse_epsilon": 1 / settings.epsilon, "tolerance": settings.tolerance}
    rule |= {"max_sweeps": settings.max_iterations, "relaxed": settings.overrelaxed, "warm": start is not None}
    _run_kernel(tensors, **rule)
    return Transported(value, None, None, Potentials(f, g), error, iterations, matrix=tensors["matrix"])


def _run_kernel(tensors: dict[str, Tensor], **rule: float | int) -> None:
    """Run the kernel on these tensors; ``state.Batch`` describes their names."""
    (size, n), m = tensors["a"].shape, tensors["b"].shape[1]
    sizes = {"problems": size, "n": n, "m": m, "dim": tensors["source"].shape[2] if "source" in tensors else 0}
    new_job, address, run_on_threads = _kernel()
    job = new_job(**{name: tensor.data_ptr() for name, tensor in tensors.items()}, **sizes, **rule)
    run_on_threads(address, addressof(job), max(1, min(torch.get_num_threads(), size * n * m // _CELLS_PER_THREAD)))


@cache
def _kernel() -> tuple[Callable[..., Array], int, Callable[[int, int, int], None]]:
    """A function that makes a job, the address of the kernel, and a function that runs it; compiled on first use."""
    from optical.ot.kernels.compiled.state import new_job
    from optical.ot.kernels.compiled.threads import run_on_threads
    from optical.ot.kernels.compiled.work import work

    return new_job, work.address, run_on_threads
