"""The field's own solvers of the same problems, each as one function of (problem, epsilon, tolerance, sweeps).

Each gets what it needs, prepared outside the clock where its API allows it, and returns the plans it found, or those
of its first problems. A peer that is not installed, or cannot run here, gives the reason instead.
"""

import shutil
from collections.abc import Callable

import numpy as np
import ot
import torch
from torch import Tensor

from optical.ot.problem import Problem

LOOPED = 32
"""Problems that a per-pair loop solves; its time is scaled to the batch."""
Peer = Callable[[Problem, float, float, int], Tensor]


def pot_loop(problem: Problem, epsilon: float, tolerance: float, sweeps: int) -> Tensor:
    """POT pair by pair on true lengths, in numpy (the first ``LOOPED`` problems)."""

    def one(a: np.ndarray, b: np.ndarray, cost: np.ndarray) -> np.ndarray:
        return ot.sinkhorn(a, b, cost, epsilon, stopThr=tolerance, numItermax=sweeps, warn=False)

    return looped(problem, min(LOOPED, len(problem.a)), one).float()


def looped(problem: Problem, count: int, solver: Callable[..., np.ndarray]) -> Tensor:
    """The first ``count`` plans by a solver of one problem without padding (a, b, cost), in double precision."""
    plans = torch.zeros(count, *problem.cost.shape[1:], dtype=torch.float64)
    for row, plan in enumerate(plans):
        n, m = int((problem.a[row] > 0).sum()), int((problem.b[row] > 0).sum())
        a, b = problem.a[row, :n].double().numpy(), problem.b[row, :m].double().numpy()
        cost = problem.cost[row, :n, :m].double().numpy()
        plan[:n, :m] = torch.from_numpy(solver(a / a.sum(), b / b.sum(), cost))
    return plans


def pot_batch_log(problem: Problem, epsilon: float, tolerance: float, sweeps: int) -> Tensor:
    """POT's batched log-domain solver; zero marginals serve as the mask."""
    return _pot_batch(problem, epsilon, tolerance, sweeps, "log_sinkhorn")


def pot_batch(problem: Problem, epsilon: float, tolerance: float, sweeps: int) -> Tensor:
    """POT's batched scaling solver."""
    return _pot_batch(problem, epsilon, tolerance, sweeps, "sinkhorn")


def _pot_batch(problem: Problem, epsilon: float, tolerance: float, sweeps: int, method: str) -> Tensor:
    options = {"max_iter": sweeps, "tol": tolerance, "method": method, "grad": "detach"}
    return ot.solve_batch(problem.cost, epsilon, a=problem.a, b=problem.b, **options).plan


def torch_log(problem: Problem, epsilon: float, tolerance: float, sweeps: int) -> Tensor:
    """What one writes in an afternoon: a masked log-domain batch that stops when its worst problem has converged."""
    return _log_batch(_log_sweeps, problem, epsilon, tolerance, sweeps)


_compiled_sweeps: Callable | None = None


def torch_compile(problem: Problem, epsilon: float, tolerance: float, sweeps: int) -> Tensor:
    """The same with its ten sweeps between two checks compiled by torch.compile."""
    global _compiled_sweeps
    if _compiled_sweeps is None:
        _compiled_sweeps = torch.compile(_log_sweeps, dynamic=False)
    return _log_batch(_compiled_sweeps, problem, epsilon, tolerance, sweeps)


def geomloss(problem: Problem, epsilon: float, tolerance: float, sweeps: int) -> Tensor:
    """geomloss's batched solver: a fixed number of annealed, averaged iterations (it ignores the tolerance)."""
    from geomloss import ot as geomloss_ot

    return geomloss_ot.solve_batch(problem.cost, reg=epsilon, a=problem.a, b=problem.b, max_iter=sweeps).plan


def ott_jax(problem: Problem, epsilon: float, tolerance: float, sweeps: int) -> Tensor:
    """OTT-JAX under jit and vmap; a while loop under vmap runs until the worst problem has converged."""
    solver = _ott_solver(epsilon, tolerance, sweeps)
    return torch.from_numpy(np.asarray(solver(*(side.numpy() for side in (problem.cost, problem.a, problem.b)))))


def _ott_solver(epsilon: float, tolerance: float, sweeps: int) -> Callable:
    import jax
    from ott.geometry.geometry import Geometry
    from ott.problems.linear.linear_problem import LinearProblem
    from ott.solvers.linear.sinkhorn import Sinkhorn

    key = epsilon, tolerance, sweeps
    if key not in _OTT:
        solver = Sinkhorn(threshold=tolerance, max_iterations=sweeps, lse_mode=False)
        _OTT[key] = jax.jit(
            jax.vmap(lambda cost, a, b: solver(LinearProblem(Geometry(cost, epsilon=epsilon), a, b)).matrix)
        )
    return _OTT[key]


_OTT: dict[tuple, Callable] = {}


def _log_batch(run: Callable, problem: Problem, epsilon: float, tolerance: float, sweeps: int) -> Tensor:
    scores = (-problem.cost / epsilon).masked_fill(~problem.real, -1e9)
    log_a, log_b = (side.clamp_min(1e-30).log() for side in (problem.a, problem.b))
    log_u, log_v = torch.zeros_like(log_a), torch.zeros_like(log_b)
    done = 0
    while done < sweeps:
        log_u, log_v = run(scores, log_a, log_b, log_u, log_v)
        done += 10
        plan = torch.exp(scores + log_u.unsqueeze(2) + log_v.unsqueeze(1))
        if tolerance > 0 and (plan.sum(2) - problem.a).norm(dim=1).max() <= tolerance:
            break
    return torch.exp(scores + log_u.unsqueeze(2) + log_v.unsqueeze(1)).masked_fill(~problem.real, 0)


def _log_sweeps(scores: Tensor, log_a: Tensor, log_b: Tensor, log_u: Tensor, log_v: Tensor) -> tuple[Tensor, Tensor]:
    for _ in range(10):
        log_u = log_a - torch.logsumexp(scores + log_v.unsqueeze(1), 2)
        log_v = log_b - torch.logsumexp(scores + log_u.unsqueeze(2), 1)
    return log_u, log_v


def missing(name: str) -> str | None:
    """Why a peer cannot run here."""
    if name == "torch.compile" and not (shutil.which("g++") or shutil.which("clang++")):
        return "torch.compile needs a C++ compiler on the CPU"
    for peer, module in (("geomloss", "geomloss"), ("OTT-JAX", "ott")):
        if name == peer:
            try:
                __import__(module)
            except ImportError as error:
                return f"{error} (pip install '.[peers]')"
    return None


PEERS: dict[str, Peer] = {
    "POT loop": pot_loop,
    "POT batch log": pot_batch_log,
    "POT batch": pot_batch,
    "torch log batch": torch_log,
    "torch.compile": torch_compile,
    "geomloss": geomloss,
    "OTT-JAX": ott_jax,
}
