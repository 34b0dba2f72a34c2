"""The compiled CPU backend: batches over threads, each problem over its true lengths."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import torch

from optical.ot.problem import Plan, Potentials, Problem
from optical.ot.settings import Settings

_TASKS_PER_THREAD = 8
_CELLS_PER_THREAD = 1 << 18


def unavailable(problem: Problem) -> str | None:
    """Why this backend cannot solve the problem, or ``None`` when it can."""
    if problem.cost.device.type != "cpu":
        return f"the problem is on {problem.cost.device.type}, and the compiled kernel runs on the CPU"
    if problem.cost.dtype != torch.float32:
        return f"the problem is {problem.cost.dtype}, and the compiled kernel works in torch.float32"
    return None


def sinkhorn(problem: Problem, settings: Settings, start: Potentials | None) -> Plan:
    """Sinkhorn's algorithm, each problem stopping by itself (see ``sweeps``).

    Args:
        problem: on the CPU, float32.
        settings: epsilon, tolerance and sweeps.
        start: potentials to start from.
    """
    from optical.ot.compiled.state import Batch, Rule
    from optical.ot.compiled.sweeps import solve_many

    size = len(problem.cost)
    cost = problem.cost.contiguous()
    matrix = torch.empty_like(cost)
    f, g = (torch.full(side.shape, -torch.inf, dtype=torch.float64) for side in (problem.a, problem.b))
    if start is not None:
        f.copy_(start.f), g.copy_(start.g)
    u, v = torch.ones_like(problem.a), torch.ones_like(problem.b)
    value, error = torch.zeros(size, dtype=torch.float64), torch.zeros(size)
    iterations = torch.zeros(size, dtype=torch.int64)
    a, b = problem.a.contiguous(), problem.b.contiguous()
    tensors = (cost.view(-1), a, b, f, g, u, v, matrix.view(-1), value, error, iterations)
    batch = Batch(*(tensor.detach().numpy() for tensor in tensors))
    most = settings.max_iterations
    rule = Rule(1 / settings.epsilon, float(settings.tolerance), most, settings.overrelaxed, start is not None)
    _spread(lambda chosen: solve_many(batch, rule, chosen), problem)
    f += settings.epsilon * u.double().log()
    g += settings.epsilon * v.double().log()
    epsilon = torch.full_like(value, settings.epsilon)
    return Plan(problem, f, g, epsilon, error, iterations, error <= settings.tolerance, matrix, value.float())


def _spread(solve: object, problem: Problem) -> None:
    """Run ``solve`` on every problem, the largest first, over torch's number of threads.

    numba releases the interpreter's lock, so plain Python threads do: no threading layer that a fork could break.
    """
    cells = ((problem.a > 0).sum(1) * (problem.b > 0).sum(1)).numpy()
    order = np.argsort(-cells, kind="stable")
    threads = min(torch.get_num_threads(), 1 + int(cells.sum()) // _CELLS_PER_THREAD)
    if threads == 1:
        solve(order)
        return
    tasks = _TASKS_PER_THREAD * threads
    shares = [np.ascontiguousarray(order[task::tasks]) for task in range(tasks)]
    for done in _pool(os.getpid(), threads).map(solve, shares):
        del done


@lru_cache(maxsize=4)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Threads of this process (a fork inherits the cache, not the threads)."""
    del process
    return ThreadPoolExecutor(threads, "optical-ot")
