"""The Triton backend: which pairs the kernel can take, how it is launched, and what it returns.

The kernel was run in Triton's interpreter on a CPU, and was compiled for NVIDIA's sm_90. It has not run on a GPU.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from optical.errors import UserError
from optical.ot.problem import Potentials
from optical.ot.settings import Settings
from optical.ot.transported import Transported

MOST_TOKENS = 128
_LEAST_TOKENS = 16
_CELLS_PER_WARP = 2048
_STAGES = 2
_ROUNDING = 5e-7
_DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def not_fused(source: Tensor, target: Tensor) -> str | None:
    """Why this backend cannot take these embeddings (batch, tokens, dim), or ``None`` when it can."""
    try:
        from optical.ot.kernels.triton.kernel import INTERPRETED
    except ImportError as error:
        return f"triton cannot be imported ({error}); it is part of the extra optical-clir[gpu]"
    if source.dtype != target.dtype or source.dtype not in _DTYPES:
        kinds = ", ".join(str(dtype) for dtype in _DTYPES)
        return (
            f"the embeddings are {source.dtype} and {target.dtype}, and the kernel takes one type for both, of {kinds}"
        )
    longest = max(source.shape[1], target.shape[1])
    if longest > MOST_TOKENS:
        return f"a side has {longest} tokens, and the kernel takes at most {MOST_TOKENS}"
    if INTERPRETED.value:
        return None
    if source.device.type != "cuda":
        return f"the embeddings are on {source.device.type}, and the kernel runs on NVIDIA GPUs"
    if torch.version.hip or torch.cuda.get_device_capability(source.device) < (8, 0):
        return f"{torch.cuda.get_device_name(source.device)} is not an NVIDIA GPU of compute capability 8.0 or newer"
    return None


def transport(
    source: Float[Tensor, "batch source dim"],
    target: Float[Tensor, "batch target dim"],
    a: Float[Tensor, "batch source"],
    b: Float[Tensor, "batch target"],
    settings: Settings,
    want_target_gradient: bool = False,
) -> Transported:
    """Solve every pair for the cosine cost C = 1 - S T^T by plain sweeps; each pair stops on its own.

    A token is real if its mass is positive. The embeddings of other tokens are not read, and their gradient is exactly
    zero. A pair without mass on one side has loss and gradient zero, and the other side's mass as its marginal error.

    Args:
        source: L2-normalised embeddings in float32, float16 or bfloat16; at most 128 tokens.
        target: likewise, in the same precision.
        a: source masses.
        b: target masses.
        settings: epsilon, tolerance and max_iterations are used. Convergence is checked every fourth sweep.
        want_target_gradient: whether to compute -P^T S too; a frozen teacher does not need it.

    Raises:
        UserError: the backend is unavailable.
    """
    reason = not_fused(source, target)
    if reason:
        raise UserError("backend triton", reason, "choose another backend, such as auto")
    from optical.ot.kernels.triton.kernel import transport_kernel

    (batch, n, dim), m = source.shape, target.shape[1]
    result = Transported(
        a.new_empty(batch, dtype=torch.float32),
        torch.empty_like(source, memory_format=torch.contiguous_format),
        torch.empty_like(target, memory_format=torch.contiguous_format) if want_target_gradient else None,
        Potentials(torch.empty_like(a, dtype=torch.float64), torch.empty_like(b, dtype=torch.float64)),
        a.new_empty(batch, dtype=torch.float32),
        a.new_empty(batch, dtype=torch.int32),
    )
    if batch == 0:
        return result
    inputs = (source.contiguous(), target.contiguous(), a.float().contiguous(), b.float().contiguous())
    made = result.source_gradient, result.target_gradient
    solution = result.potentials.f, result.potentials.g, result.marginal_error, result.iterations
    outputs = (result.value, *made, *solution)
    height, width = _tile(n), _tile(m)
    with torch.cuda.device_of(source):
        transport_kernel[(batch,)](
            *(tensor.detach() if tensor is not None else source for tensor in (*inputs, *outputs)),
            n,
            m,
            settings.epsilon,
            _row_tolerance(settings.tolerance),
            settings.max_iterations,
            D=dim,
            N=height,
            M=width,
            WITH_TARGET=want_target_gradient,
            **launch_options(height * width),
        )
    return result


def gradients(
    solved: Transported, source: Tensor, target: Tensor, a: Tensor, b: Tensor, upstream: Tensor, wanted: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients that were computed with the losses, each pair's multiplied by its number in ``upstream``.

    Args:
        solved: by ``transport``.
        source: unused, like the next three, which the compiled backend needs.
        target: see ``source``.
        a: see ``source``.
        b: see ``source``.
        upstream: (batch,) derivatives with respect to the losses.
        wanted: whether to return the source's gradient, and the target's.
    """
    scale = upstream.view(-1, 1, 1)
    by_source, by_target = (
        part * scale if want and part is not None else None
        for part, want in zip((solved.source_gradient, solved.target_gradient), wanted, strict=True)
    )
    return by_source, by_target


def _tile(tokens: int) -> int:
    """The power of two that a side is padded to; tensor cores need at least 16."""
    return max(_LEAST_TOKENS, 1 << max(tokens - 1, 0).bit_length())


def launch_options(cells: int) -> dict[str, int | None]:
    """Warps and registers for a tile of ``cells`` cells, chosen from the kernel as compiled for sm_90.

    A thread can keep 64 cells of C and of K in its 255 registers. Fewer warps are better: sums within a warp need no
    barrier and fewer instructions per cell. Up to 32 x 32 cells, 128 registers are enough, and 16 pairs share a
    multiprocessor.
    """
    warps = max(1, cells // _CELLS_PER_WARP)
    registers = 128 if cells < _CELLS_PER_WARP else None
    return {"num_warps": warps, "num_stages": _STAGES, "maxnreg": registers, "enable_fp_fusion": True}


def _row_tolerance(tolerance: float) -> float:
    """The row error at which to stop: the tolerance less the rounding of both sides.

    A tolerance of zero means every sweep; no error is below the -1 that is returned for it.
    """
    return max(tolerance - _ROUNDING, tolerance / 2) if tolerance > 0 else -1.0
