"""The Triton kernel against sweeps in double precision: in Triton's interpreter here, and on a GPU where there is one.

Triton reads TRITON_INTERPRET when a kernel is defined, and other tests import Triton before this one: the interpreter
runs in a process of its own.
"""

import math
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import pytest
import torch
from torch.nn.functional import normalize

from optical.errors import UserError
from optical.ot.kernels.triton import backend
from optical.ot.settings import Settings
from optical.ot.transported import Transported

pytest.importorskip("triton", reason="triton is not installed: it is part of the extra optical-clir[gpu]")


class Pairs(NamedTuple):
    source: torch.Tensor
    target: torch.Tensor
    a: torch.Tensor
    b: torch.Tensor


@pytest.fixture(scope="module")
def interpreter() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TRITON_INTERPRET", "1")
            pool.submit(int).result()
        yield pool


@pytest.fixture(params=["interpreter", pytest.param("cuda", marks=pytest.mark.gpu)])
def solve(request) -> Callable[..., Transported]:
    """Solves pairs by the kernel, given what ``Settings`` take."""

    def interpreted(pairs: Pairs, both: bool = False, **settings) -> Transported:
        pool = request.getfixturevalue("interpreter")
        return pool.submit(backend.transport, *pairs, Settings(**settings), both).result()

    def on_gpu(pairs: Pairs, both: bool = False, **settings) -> Transported:
        solved = backend.transport(*(tensor.cuda() for tensor in pairs), Settings(**settings), both)
        potentials = type(solved.potentials)(solved.potentials.f.cpu(), solved.potentials.g.cpu())
        moved = (part.cpu() if isinstance(part, torch.Tensor) else part for part in solved)
        return Transported(*moved)._replace(potentials=potentials)

    solver = interpreted if request.param == "interpreter" else on_gpu
    # The interpreter cuts numbers off at the end of bfloat16, where a GPU rounds them.
    solver.bfloat16_error = 5e-3 if request.param == "interpreter" else 3e-3
    return solver


def random_pairs(seed: int, batch: int = 3, n: int = 7, m: int = 9, dim: int = 24, dtype=torch.float32) -> Pairs:
    """Noisy copies of the target's tokens, random masses with holes, and NaN for the embeddings of massless tokens."""
    generator = torch.Generator().manual_seed(seed)
    target = normalize(torch.randn(batch, m, dim, generator=generator), dim=-1)
    partner = torch.randint(m, (batch, n, 1), generator=generator).expand(-1, -1, dim)
    noise = torch.randn(batch, n, dim, generator=generator) / math.sqrt(dim)
    source = normalize(target.gather(1, partner) + noise, dim=-1)
    masses = []
    for width in (n, m):
        mass = torch.rand(batch, width, generator=generator) + 0.2
        mass[:, 1:] *= torch.rand(batch, width - 1, generator=generator) > 0.3
        masses.append(mass / mass.sum(1, keepdim=True))
    a, b = masses
    source = source.masked_fill((a == 0).unsqueeze(2), torch.nan)
    target = target.masked_fill((b == 0).unsqueeze(2), torch.nan)
    return Pairs(source.to(dtype), target.to(dtype), a, b)


class Reference(NamedTuple):
    value: torch.Tensor
    plan: torch.Tensor
    error: torch.Tensor


def reference(pairs: Pairs, epsilon: float, sweeps: int) -> Reference:
    """So many sweeps on the potentials in double precision, from the row minima and what they leave the columns."""
    source, target, a, b = (tensor.double().nan_to_num() for tensor in pairs)
    cost = 1 - source @ target.transpose(1, 2)
    f = cost.masked_fill((b == 0).unsqueeze(1), torch.inf).amin(2, keepdim=True)
    g = (cost - f).masked_fill((a == 0).unsqueeze(2), torch.inf).amin(1, keepdim=True)
    g = g.masked_fill((b == 0).unsqueeze(1), -torch.inf)
    log_a, log_b = a.log().unsqueeze(2), b.log().unsqueeze(1)
    for _ in range(sweeps):
        f = epsilon * (log_a - torch.logsumexp((g - cost) / epsilon, 2, keepdim=True))
        g = epsilon * (log_b - torch.logsumexp((f - cost) / epsilon, 1, keepdim=True))
    plan = torch.exp((f + g - cost) / epsilon)
    error = (plan.sum(2) - a).abs().sum(1) + (plan.sum(1) - b).abs().sum(1)
    return Reference((plan * cost).sum((1, 2)), plan, error)


def relative(measured: torch.Tensor, expected: torch.Tensor) -> float:
    return float((measured.double() - expected).norm() / expected.norm())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_loss_and_gradients_agree_with_double_precision(solve, fresh_seed, dtype):
    pairs = random_pairs(fresh_seed, dtype=dtype)
    solved = solve(pairs, True, epsilon=0.2, tolerance=2e-6)
    expected = reference(pairs, 0.2, 2000)
    source, target = (side.double().nan_to_num() for side in pairs[:2])
    torch.testing.assert_close(solved.value.double(), expected.value, rtol=1e-5, atol=0)
    bound = {torch.float32: 1e-5, torch.float16: 1e-3, torch.bfloat16: solve.bfloat16_error}[dtype]
    assert relative(solved.source_gradient, -expected.plan @ target) <= bound
    assert relative(solved.target_gradient, -expected.plan.transpose(1, 2) @ source) <= bound
    assert solved.source_gradient.dtype == solved.target_gradient.dtype == dtype
    assert (solved.source_gradient[pairs.a == 0] == 0).all()
    assert (solved.target_gradient[pairs.b == 0] == 0).all()
    assert (solved.marginal_error <= 2e-6).all()


def test_sides_wider_than_a_tile_of_sixteen(solve, fresh_seed):
    pairs = random_pairs(fresh_seed, batch=1, n=33, m=128, dim=130)
    solved = solve(pairs, epsilon=0.2, tolerance=1e-5)
    expected = reference(pairs, 0.2, 1000)
    torch.testing.assert_close(solved.value.double(), expected.value, rtol=1e-5, atol=0)
    assert relative(solved.source_gradient, -expected.plan @ pairs.target.double().nan_to_num()) <= 2e-5
    assert solved.target_gradient is None


@pytest.mark.parametrize(("epsilon", "rtol"), [(1e-3, 2e-3), (1e-2, 1e-4), (10.0, 1e-5)])
def test_every_sweep_is_that_of_double_precision_at_any_epsilon(solve, fresh_seed, epsilon, rtol):
    pairs = random_pairs(fresh_seed)
    solved = solve(pairs, epsilon=epsilon, tolerance=0.0, max_iterations=30)
    expected = reference(pairs, epsilon, 30)
    assert (solved.iterations == 30).all()
    torch.testing.assert_close(solved.value.double(), expected.value, rtol=rtol, atol=1e-6)
    torch.testing.assert_close(solved.marginal_error.double(), expected.error, rtol=10 * rtol, atol=1e-5)
    f, g = solved.potentials.f, solved.potentials.g
    assert ((f == -torch.inf) == (pairs.a == 0)).all()
    assert ((g == -torch.inf) == (pairs.b == 0)).all()
    source, target = (side.double().nan_to_num() for side in pairs[:2])
    plan = torch.exp((f.unsqueeze(2) + g.unsqueeze(1) - 1 + source @ target.transpose(1, 2)) / epsilon)
    assert (plan - expected.plan).abs().sum() <= rtol * len(plan)


def test_scalings_beyond_single_precision_are_absorbed(solve):
    # C = [[0, 1], [0.2, 0.4]], and most mass must go right: the kernel starts at exp(-160) where the plan has 0.4.
    source, target = torch.tensor([[[1.0, 0.0], [0.8, 0.6]]]), torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    pairs = Pairs(source, target, torch.tensor([[0.5, 0.5]]), torch.tensor([[0.1, 0.9]]))
    solved = solve(pairs, epsilon=0.005, tolerance=1e-6)
    torch.testing.assert_close(solved.value, torch.tensor([0.6]), rtol=1e-5, atol=0)
    gap = solved.potentials.g[0, 1] - solved.potentials.g[0, 0]
    assert float(gap) == pytest.approx(1 + 0.005 * math.log(4), abs=1e-6)


def test_a_pair_stops_by_itself(solve):
    pairs = random_pairs(5, batch=4)
    together = solve(pairs, epsilon=0.05, tolerance=1e-3)
    assert len(set(together.iterations.tolist())) > 1
    for row in range(4):
        alone = solve(Pairs(*(tensor[row : row + 1] for tensor in pairs)), epsilon=0.05, tolerance=1e-3)
        assert alone.iterations[0] == together.iterations[row]
        assert torch.equal(alone.value[0], together.value[row])
        assert torch.equal(alone.source_gradient[0], together.source_gradient[row])


def test_what_does_not_converge_says_so(solve):
    pairs = random_pairs(6)
    solved = solve(pairs, epsilon=0.01, tolerance=1e-5, max_iterations=6)
    assert (solved.iterations == 6).all()
    assert (solved.marginal_error > 1e-5).all()
    torch.testing.assert_close(solved.marginal_error.double(), reference(pairs, 0.01, 6).error, rtol=1e-3, atol=0)


@pytest.mark.parametrize(("same", "expected"), [(1.0, 0.0), (0.0, 1.0), (-1.0, 2.0)])
def test_one_direction_against_itself_its_normal_and_its_opposite(solve, same, expected):
    source, target = torch.tensor([[[1.0, 0.0]] * 3]), torch.tensor([[[same, math.sqrt(1 - same**2)]] * 4])
    pairs = Pairs(source, target, torch.full((1, 3), 1 / 3), torch.full((1, 4), 1 / 4))
    solved = solve(pairs, epsilon=1e-3)
    torch.testing.assert_close(solved.value, torch.tensor([expected]), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(solved.source_gradient, -target[:, :3] / 3)


def test_a_single_token_on_either_side(solve):
    pairs = Pairs(torch.tensor([[[0.6, 0.8]]]), torch.tensor([[[1.0, 0.0]]]), torch.ones(1, 1), torch.ones(1, 1))
    solved = solve(pairs, epsilon=0.1)
    torch.testing.assert_close(solved.value, torch.tensor([0.4]))
    torch.testing.assert_close(solved.source_gradient, -pairs.target)


def test_no_pair_at_all(solve):
    solved = solve(random_pairs(0, batch=0), True, epsilon=0.1)
    assert solved.value.shape == solved.iterations.shape == (0,)
    assert solved.target_gradient.shape == (0, 9, 24)


def test_an_empty_side_costs_nothing_and_never_converges(solve):
    pairs = random_pairs(7, batch=2)
    pairs.a[0], pairs.b[1] = 0, 0
    solved = solve(pairs, True, epsilon=0.1, max_iterations=8)
    assert (solved.value == 0).all()
    assert (solved.source_gradient == 0).all()
    assert (solved.target_gradient == 0).all()
    torch.testing.assert_close(solved.marginal_error, torch.ones(2))


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        (torch.zeros(1, 2, 4).double(), torch.zeros(1, 2, 4).double(), "torch.float64 and torch.float64"),
        (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4).half(), "torch.float32 and torch.float16"),
        (torch.zeros(1, 2, 4), torch.zeros(1, 129, 4), "a side has 129 tokens, and the kernel takes at most 128"),
        (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4), "the embeddings are on cpu, and the kernel runs on NVIDIA GPUs"),
    ],
)
def test_what_the_kernel_cannot_take_is_refused_with_the_reason(source, target, reason):
    assert reason in backend.not_fused(source, target)
    masses = (torch.ones(side.shape[:2]) for side in (source, target))
    with pytest.raises(UserError, match=reason):
        backend.transport(source, target, *masses, Settings())


def test_a_missing_triton_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "optical.ot.kernels.triton.kernel", raising=False)
    reason = backend.not_fused(torch.zeros(1, 2, 4), torch.zeros(1, 2, 4))
    assert "triton cannot be imported" in reason
    assert "optical-clir[gpu]" in reason


@pytest.mark.slow
@pytest.mark.parametrize("tile", [(16, 16), (32, 32), (64, 64), (128, 128)])
def test_it_compiles_for_a_gpu(tile):
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile

    from optical.ot.kernels.triton.kernel import transport_kernel

    pointers = ["bf16", "bf16", "fp32", "fp32", "fp32", "bf16", "bf16", "fp64", "fp64", "fp32", "i32"]
    kinds = [f"*{kind}" for kind in pointers] + ["i32", "i32", "fp32", "fp32", "i32"] + ["constexpr"] * 4
    signature = dict(zip(transport_kernel.arg_names, kinds, strict=True))
    constants = {"D": 128, "N": tile[0], "M": tile[1], "WITH_TARGET": True}
    kernel = ASTSource(transport_kernel, signature=signature, constexprs=constants)
    options = backend.launch_options(tile[0] * tile[1])
    built = compile(kernel, target=GPUTarget("cuda", 90, 32), options=options)
    assert "wgmma" in built.asm["ptx"] or "mma.sync" in built.asm["ptx"]
    assert built.metadata.shared <= 227 * 1024
