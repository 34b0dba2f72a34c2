"""Which backend solves a problem here, and why another one cannot."""

from importlib import import_module

from torch import Tensor

from optical.errors import UserError
from optical.ot.problem import Problem
from optical.ot.settings import Settings


def choose(problem: Problem, settings: Settings) -> str:
    """The backend that ``solve`` uses: ``torch`` or ``compiled``.

    ``auto`` takes the compiled one for Sinkhorn in single precision on the CPU, and torch for everything else.

    Raises:
        UserError: the backend asked for cannot solve this problem here.
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
    """The backend whose kernel goes from these embeddings to losses and gradients, if there is one to be used.

    ``auto`` takes the compiled one on the CPU. The Triton kernel agrees with the others in Triton's interpreter and has
    never run on a GPU, so it is used only where it is asked for by name.

    Args:
        source: (batch, source, dim) embeddings.
        target: (batch, target, dim) embeddings.
        settings: the method and the backend asked for.
        plain: whether the loss is <P, C> of the cosine cost with a detached plan, all that the kernels know.

    Raises:
        UserError: ``triton`` was asked for and cannot do this here.
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
        return f"the method {settings.method!r} is solved by torch alone"
    from optical.ot.kernels.compiled.backend import unavailable

    return unavailable(problem) or _no_numba()


def _no_plan(problem: Problem) -> str:
    if not problem.cost.is_cuda:
        return f"no NVIDIA GPU is at hand (the problem is on {problem.cost.device.type})"
    return "the kernel goes from embeddings to losses and gradients, and gives no plan: it serves transport_loss"


def _not_fused(backend: str, source: Tensor, target: Tensor, settings: Settings, plain: bool) -> str | None:
    if settings.method != "sinkhorn":
        return f"the method {settings.method!r} is solved by torch alone"
    if not plain:
        return "the kernel knows <P, C> of the cosine cost with a detached plan, without the order term"
    if backend == "compiled" and (reason := _no_numba()):
        return reason
    return import_module(f"optical.ot.kernels.{backend}.backend").not_fused(source, target)


def _no_numba() -> str | None:
    try:
        import numba  # noqa: F401
    except ImportError as error:
        return f"numba does not import ({error})"
    return None
