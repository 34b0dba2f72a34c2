"""The choice of the backend for a problem, and the reasons against the others."""

from importlib import import_module

from torch import Tensor

from optical.errors import UserError
from optical.ot.problem import Problem
from optical.ot.settings import Settings


def choose(problem: Problem, settings: Settings) -> str:
    """The backend that ``solve`` uses: ``torch`` or ``compiled``.

    ``auto`` chooses the compiled one for Sinkhorn in single precision on the CPU, and torch for everything else.

    Raises:
        UserError: the requested backend cannot solve this problem on this machine.
    """
    name = settings.backend
    if name == "torch":
        return name
    reason = _no_plan(problem) if name == "triton" else _not_compiled(problem, settings)
    if reason is None:
        return "compiled"
    if name == "auto":
        return "torch"
    raise _refusal(name, reason)


def fused(source: Tensor, target: Tensor, settings: Settings, plain: bool) -> str | None:
    """The backend whose kernel computes losses and gradients from these embeddings; None without such a kernel.

    ``auto`` chooses the compiled one on the CPU. The Triton kernel agrees with the others in Triton's interpreter, but
    has never run on a GPU, so it is used only on request.

    Args:
        source: (batch, source, dim) embeddings.
        target: (batch, target, dim) embeddings.
        settings: the method and the requested backend.
        plain: whether the loss is <P, C> of the cosine cost with a detached plan and epsilon in the cost's units; the
            kernels compute no other.

    Raises:
        UserError: ``triton`` was requested and cannot do this on this machine.
    """
    if settings.backend in ("auto", "compiled"):
        return "compiled" if _not_fused("compiled", source, target, settings, plain) is None else None
    if settings.backend != "triton":
        return None
    if reason := _not_fused("triton", source, target, settings, plain):
        raise _refusal("triton", reason)
    return "triton"


def _refusal(name: str, reason: str) -> UserError:
    return UserError(f"backend {name!r}", reason, "use auto, or torch, which solves everything")


def _not_compiled(problem: Problem, settings: Settings) -> str | None:
    if settings.method != "sinkhorn":
        return f"the method {settings.method!r} is solved by torch only"
    from optical.ot.kernels.compiled.backend import unavailable

    return unavailable(problem) or _no_numba()


def _no_plan(problem: Problem) -> str:
    if not problem.cost.is_cuda:
        return f"needs an NVIDIA GPU (the problem is on {problem.cost.device.type})"
    return "computes losses and gradients from embeddings and no plan, so it is for transport_loss only"


def _not_fused(backend: str, source: Tensor, target: Tensor, settings: Settings, plain: bool) -> str | None:
    if settings.method != "sinkhorn":
        return f"the method {settings.method!r} is solved by torch only"
    if not plain:
        return (
            "the kernel computes only <P, C> of the cosine cost with a detached plan and epsilon in the cost's units,"
            " without the order term"
        )
    if backend == "compiled" and (reason := _no_numba()):
        return reason
    return import_module(f"optical.ot.kernels.{backend}.backend").not_fused(source, target)


def _no_numba() -> str | None:
    try:
        import numba  # noqa: F401
    except ImportError as error:
        return f"numba cannot be imported ({error})"
    return None
