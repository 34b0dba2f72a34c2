"""The doors of ``optical.ot``: what is wrong with a problem is said before it is solved; infinity means never."""

import math
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from jaxtyping import config
from torch.nn.functional import normalize

from optical.errors import NotFiniteError, NumericalError, UserError
from optical.ot import Potentials, Problem, Settings, solve, transport_loss

HALVES = torch.full((1, 2), 0.5)
COST = torch.tensor([[[0.1, 0.6], [0.4, 0.2]]])


@pytest.fixture(autouse=True)
def untyped() -> Iterator[None]:
    """Users have no run-time type checker in front of these doors."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


def nan_at(tensor: torch.Tensor, *place: int, value: float = math.nan) -> torch.Tensor:
    tensor = tensor.clone()
    tensor[place] = value
    return tensor


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        ((COST, torch.full((1, 3), 1 / 3), HALVES), r"^a: has shape \(1, 3\), 3 in its dimension 'source', where cost"),
        ((COST, HALVES, torch.full((1, 3), 1 / 3)), r"^b: has shape \(1, 3\), 3 in its dimension 'target'"),
        ((torch.rand(8, 30, 40), torch.rand(8, 60), torch.rand(8, 40)), "^a: .* 60 in its dimension 'source'"),
        ((torch.rand(2, 3, 4), torch.rand(2, 4), torch.rand(2, 3)), "^a: .* 4 in its dimension 'source'"),
        ((COST, torch.full((2, 2), 0.5), HALVES), "^a: .* 2 in its dimension 'batch'"),
        ((COST[0], HALVES[0], HALVES[0]), r"^cost: has shape \(2, 2\), and must have 3 dimensions .* unsqueeze\(0\)"),
        ((COST.numpy(), HALVES.numpy(), HALVES.numpy()), r"^cost: is a numpy\.ndarray; give a torch tensor"),
        ((COST.long(), HALVES, HALVES), "^cost: is torch.int64"),
        ((COST, HALVES.double(), HALVES), "^a: is torch.float64, and cost is torch.float32"),
        ((COST, HALVES.to("meta"), HALVES), "^a: is on meta, and cost is on cpu"),
    ],
)
def test_a_problem_that_is_none_is_refused(problem, said):
    with pytest.raises(UserError, match=said):
        Problem(*problem)


@pytest.mark.parametrize("method", ["sinkhorn", "unbalanced", "exact"])
@pytest.mark.parametrize("backend", ["torch", "auto"])
@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        (torch.tensor([[1.5, -0.5]]), HALVES, "^a, problem 0: the mass of its token 1 is negative"),
        (HALVES, torch.tensor([[-1e-3, 1.001]]), "^b, problem 0: the mass of its token 0 is negative"),
        (nan_at(HALVES, 0, 1), HALVES, "^a, problem 0: the mass of its token 1 is not finite"),
        (HALVES, nan_at(HALVES, 0, 0, value=math.inf), "^b, problem 0: the mass of its token 0 is not finite"),
        (torch.full((1, 2), math.inf), torch.full((1, 2), math.inf), "^a, problem 0: the mass of its token 0 is not"),
        (torch.zeros(1, 2), HALVES, "^problem 0: its source side has no mass"),
        (HALVES, torch.zeros(1, 2), "^problem 0: its target side has no mass"),
    ],
)
def test_masses_that_are_none_are_refused(a, b, said, backend, method):
    with pytest.raises(UserError, match=said):
        solve(Problem(COST, a, b), method, backend=backend)


def test_one_wrong_problem_among_many_is_found():
    a = torch.full((512, 2), 0.5)
    a[300, 0] = -0.5
    with pytest.raises(UserError, match="^a, problem 300: the mass of its token 0 is negative"):
        solve(Problem(COST.expand(512, 2, 2), a, HALVES.expand(512, 2)))


METHODS = ("sinkhorn", "ipot", "exact")
BACKENDS = [("torch", torch.float32), ("torch", torch.float64), ("compiled", torch.float32)]


def halves(dtype: torch.dtype, cost: torch.Tensor = COST) -> Problem:
    return Problem(cost.to(dtype), HALVES.to(dtype), HALVES.to(dtype))


@pytest.mark.parametrize("method", METHODS)
def test_sides_of_different_mass_are_refused_where_all_mass_is_moved(method):
    problem = Problem(COST, HALVES, 1.2 * HALVES)
    with pytest.raises(UserError, match="^problem 0: its sides have masses 1 and 1.2"):
        solve(problem, method)
    assert solve(problem, "unbalanced").converged


def test_sums_in_single_precision_may_differ_by_rounding_and_in_double_by_the_tolerance():
    a = torch.full((1, 2), 0.5 + 1e-6)
    assert solve(Problem(COST, a, HALVES)).converged
    with pytest.raises(UserError, match="sides have masses 1.000002 and 1,"):
        solve(Problem(COST.double(), a.double(), HALVES.double()), tolerance=1e-9)


def test_a_tolerance_that_any_plan_meets_proves_nothing():
    light = Problem(COST, 1e-6 * HALVES, 1e-6 * HALVES)
    with pytest.raises(UserError, match="^tolerance: is 0.0001, and problem 0 has a mass of 1e-06"):
        solve(light)
    assert solve(light, tolerance=1e-10).transport_cost.item() == pytest.approx(
        1e-6 * solve(halves(torch.float32)).transport_cost.item(), rel=1e-3
    )


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize(("backend", "dtype"), BACKENDS)
@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_costs_that_are_no_numbers_are_refused(value, backend, dtype, batch):
    cost = COST.expand(batch, 2, 2)
    problem = Problem(
        nan_at(cost, batch - 1, 0, 1, value=value).to(dtype),
        HALVES.expand(batch, 2).to(dtype),
        HALVES.expand(batch, 2).to(dtype),
    )
    with pytest.raises(NotFiniteError, match=rf"^cost, problem {batch - 1}: the cost of its cell \(0, 1\) is {value}"):
        solve(problem, backend=backend)


@pytest.mark.parametrize("method", ["sinkhorn", "ipot", "unbalanced", "partial", "exact"])
def test_every_method_refuses_nan(method):
    with pytest.raises(UserError, match="cost, problem 0"):
        solve(halves(torch.float64, nan_at(COST, 0, 0, 1)), method)


@pytest.mark.parametrize(("backend", "dtype"), BACKENDS)
def test_an_infinite_cost_means_never(backend, dtype):
    plan = solve(halves(dtype, nan_at(COST, 0, 0, 1, value=math.inf)), backend=backend)
    assert plan.converged
    assert plan.matrix[0, 0, 1] == 0
    # Only the diagonal is left: 0.5 x 0.1 + 0.5 x 0.2.
    assert plan.transport_cost.item() == pytest.approx(0.15, abs=1e-4)
    assert math.isfinite(plan.entropy().item())


@pytest.mark.parametrize(("backend", "dtype"), BACKENDS)
@pytest.mark.parametrize("method", ["sinkhorn", "unbalanced"])
def test_infinite_costs_among_others_cost_what_large_ones_cost(method, backend, dtype):
    generator = torch.Generator().manual_seed(3)
    cost = torch.rand(16, 6, 5, generator=generator)
    never = torch.rand(16, 6, 5, generator=generator) < 0.2
    never[:, :, 0] = never[:, 0, :] = False
    a, b = torch.full((16, 6), 1 / 6), torch.full((16, 5), 0.2)
    sides = [Problem(cost.masked_fill(never, worth).to(dtype), a.to(dtype), b.to(dtype)) for worth in (math.inf, 50.0)]
    backend = backend if method == "sinkhorn" else "torch"
    infinite, large = (solve(side, method, epsilon=0.1, tolerance=1e-5, backend=backend) for side in sides)
    assert infinite.converged.all() and large.converged.all()
    assert (infinite.matrix[never] == 0).all()
    torch.testing.assert_close(infinite.transport_cost, large.transport_cost, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("method", ["ipot", "partial", "exact"])
def test_methods_that_cannot_shun_infinite_costs_refuse_them(method):
    with pytest.raises(UserError, match=f"^cost: holds infinite costs, which the method '{method}' does not support"):
        solve(halves(torch.float64, nan_at(COST, 0, 0, 1, value=math.inf)), method, mass=0.5)


def test_a_token_without_any_allowed_partner_is_refused():
    with pytest.raises(UserError, match="^cost, problem 0: every cost of its target token 1 is infinite"):
        solve(halves(torch.float32, COST.clone().index_fill_(2, torch.tensor(1), math.inf)))


def test_costs_on_padding_are_never_looked_at():
    a, cost = torch.tensor([[0.5, 0.5, 0.0]]), torch.cat([COST, torch.full((1, 1, 2), math.nan)], 1)
    plans = [solve(Problem(cost, a, HALVES), backend=backend) for backend in ("torch", "compiled")]
    expected = solve(Problem(COST, HALVES, HALVES)).transport_cost
    for plan in plans:
        torch.testing.assert_close(plan.transport_cost, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_solved_in_single(dtype):
    thirds = torch.full((2, 3), 1 / 3, dtype=dtype)
    cost = torch.rand(2, 3, 7, generator=torch.Generator().manual_seed(0)).to(dtype)
    sevenths = torch.full((2, 7), 1 / 7, dtype=dtype)
    plan = solve(Problem(cost, thirds, sevenths))
    assert plan.converged.all()
    assert plan.matrix.dtype == torch.float32
    exact = solve(Problem(cost.float(), torch.full((2, 3), 1 / 3), torch.full((2, 7), 1 / 7)))
    torch.testing.assert_close(plan.transport_cost, exact.transport_cost, rtol=1e-2, atol=0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"epsilon": math.inf}, "^epsilon: is inf"),
        ({"epsilon": math.nan}, "^epsilon: is nan"),
        ({"epsilon": "0.1"}, "^epsilon: is '0.1'"),
        ({"epsilon": True}, "^epsilon: is True"),
        ({"tolerance": math.inf}, "^tolerance: is inf"),
        ({"max_iterations": 10.5}, "^max_iterations: is 10.5"),
        ({"penalty": math.inf}, "^penalty: is inf"),
        ({"mass": math.nan}, "^mass: is nan"),
    ],
)
def test_settings_are_finite_numbers(options, said):
    with pytest.raises(UserError, match=said):
        Settings(**options)


@pytest.mark.parametrize(
    ("f", "g", "said"),
    [
        ((1, 3), (1, 2), "^start.f: has shape"),
        ((1, 2), (2, 2), "^start.g: has shape"),
        ((1,), (1, 2), "^start.f: has shape"),
    ],
)
def test_a_start_of_another_shape_is_refused(f, g, said):
    with pytest.raises(UserError, match=said):
        solve(Problem(COST, HALVES, HALVES), start=Potentials(torch.zeros(f), torch.zeros(g)))


def test_a_start_that_is_no_number_is_refused():
    with pytest.raises(UserError, match=r"^start\.g, problem 0: the potential of its token 0 is nan"):
        solve(Problem(COST, HALVES, HALVES), start=Potentials(torch.zeros(1, 2), torch.full((1, 2), math.nan)))


def drawn(seed: int = 0) -> Problem:
    generator = torch.Generator().manual_seed(seed)
    a, b = (torch.rand(32, 8, generator=generator) + 0.1 for _ in range(2))
    cost = torch.rand(32, 8, 8, generator=generator)
    return Problem(cost, a / a.sum(1, keepdim=True), b / b.sum(1, keepdim=True))


@pytest.mark.parametrize("backend", ["torch", "compiled"])
@pytest.mark.parametrize("far", [1e4, 1e8])
def test_a_start_moved_by_a_constant_leads_to_the_same_plan(backend, far):
    cold = solve(drawn(), epsilon=0.1, backend=backend)
    warm = solve(drawn(), epsilon=0.1, backend=backend, start=Potentials(cold.f + far, cold.g - far))
    assert warm.converged.all()
    torch.testing.assert_close(warm.matrix, cold.matrix, atol=1e-4, rtol=0)
    assert warm.iterations.max() < cold.iterations.max()


@pytest.mark.parametrize("backend", ["torch", "compiled"])
@pytest.mark.parametrize("far", [1.0, 1e6, 1e20])
def test_no_start_leads_to_a_wrong_plan_that_counts_as_converged(backend, far):
    cold = solve(drawn(), epsilon=0.1, backend=backend)
    f, g = (far * torch.randn(32, 8, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    warm = solve(drawn(), epsilon=0.1, backend=backend, start=Potentials(f, g))
    torch.testing.assert_close(warm.matrix[warm.converged], cold.matrix[warm.converged], atol=1e-3, rtol=0)
    assert warm.converged.all()


def test_a_start_leaves_partial_transport_its_mass():
    f, g = (1e20 * torch.randn(32, 8, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    plan = solve(drawn(), "partial", mass=0.5, start=Potentials(f, g))
    torch.testing.assert_close(plan.matrix[plan.converged].sum((1, 2)), torch.full((int(plan.converged.sum()),), 0.5))


@pytest.mark.parametrize("method", ["sinkhorn", "unbalanced", "partial"])
def test_a_start_without_potentials_on_real_tokens_is_refused(method):
    start = Potentials(torch.full((1, 2), -math.inf), torch.full((1, 2), -math.inf))
    with pytest.raises(UserError, match=r"^start\.f, problem 0: the potential of its token 0 is -inf"):
        solve(Problem(COST, HALVES, HALVES), method, mass=0.5, start=start)


@pytest.mark.parametrize("backend", ["torch", "compiled"])
def test_a_cell_that_is_never_used_costs_nothing_whatever_the_mass(backend):
    cost = torch.tensor([[[0.0, math.inf], [math.inf, 0.0]]])
    plan = solve(Problem(cost, 1e7 * HALVES, 1e7 * HALVES), epsilon=0.1, tolerance=1e3, backend=backend)
    assert plan.transport_cost.item() == 0


def test_infinite_costs_need_an_epsilon_they_are_larger_than():
    with pytest.raises(UserError, match="^epsilon: is 1e[+]28, too large to tell infinite costs from others"):
        solve(halves(torch.float32, nan_at(COST, 0, 0, 1, value=math.inf)), epsilon=1e28)


@pytest.mark.parametrize("backend", ["torch", "auto"])
def test_a_batch_of_nothing_gives_a_plan_of_nothing(backend):
    plan = solve(Problem(torch.zeros(0, 0, 2), torch.zeros(0, 0), torch.zeros(0, 2)), backend=backend)
    assert plan.matrix.shape == (0, 0, 2)


@pytest.mark.parametrize("epsilon", [0.003, 1e-3, 1e-5])
def test_the_implicit_gradient_of_a_plan_in_blocks_is_finite(epsilon):
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        source, target = (normalize(torch.randn(4, 6, 16, generator=generator), dim=-1) for _ in range(2))
        real = torch.ones(4, 6, dtype=torch.bool)
        loss = transport_loss(source.requires_grad_(), target, real, real, gradient="implicit", epsilon=epsilon)
        loss.value.sum().backward()
        assert source.grad.isfinite().all()


@pytest.mark.parametrize("options", [{"backend": "torch"}, {"cost": "angular"}, {"order_weight": 0.5}])
@pytest.mark.parametrize("side", ["source", "target"])
def test_what_stands_on_masked_tokens_reaches_no_gradient(options, side):
    given = pair()
    given[side] = given[side].masked_fill(~given[f"{side}_mask"].unsqueeze(2), math.nan)
    for name in ("source", "target"):
        given[name] = given[name].requires_grad_()
    transport_loss(**given, **options).value.sum().backward()
    assert all(given[name].grad.isfinite().all() for name in ("source", "target"))


def test_weights_are_taken_or_refused():
    weights = torch.tensor([[9.0, 1, 1]] * 2)
    with pytest.raises(UserError, match="^marginals: is 'uniform', which takes no weights per token"):
        transport_loss(**pair(), source_weights=weights)
    with pytest.raises(UserError, match="^marginal of problem 0: the weight of one of its tokens is negative"):
        transport_loss(**pair(), marginals="given", source_weights=-weights, target_weights=torch.ones(2, 4))


def pair(dim: int = 8, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    """Two sentence pairs of at most three and four tokens."""
    generator = torch.Generator().manual_seed(5)
    sides = [normalize(torch.randn(2, length, dim, generator=generator), dim=-1).to(dtype) for length in (3, 4)]
    masks = [torch.arange(length) < torch.tensor([[2], [length]]) for length in (3, 4)]
    return dict(zip(("source", "target", "source_mask", "target_mask"), sides + masks, strict=True))


@pytest.mark.parametrize("dim", [8, 6])
def test_a_loss_within_whose_tolerance_any_plan_lies_is_refused(dim):
    with pytest.raises(UserError, match="^tolerance: is 1.5, and problem 0 has a mass of 1"):
        transport_loss(**pair(dim), tolerance=1.5)


def test_the_pair_is_right_as_it_is():
    assert transport_loss(**pair()).converged.all()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source_mask": torch.ones(2, 2, dtype=torch.bool)}, "^source_mask: .* 2 in its dimension 'source', where"),
        ({"target_mask": torch.ones(1, 4, dtype=torch.bool)}, "^target_mask: .* 1 in its dimension 'batch'"),
        ({"source_mask": torch.ones(2, 4, dtype=torch.bool)}, "^source_mask: .* 4 in its dimension 'source'"),
        ({"source_mask": torch.ones(2, 3)}, r"^source_mask: is torch.float32, .* give source_mask.bool\(\)"),
        ({"source_mask": torch.ones(2, 3).long()}, "^source_mask: is torch.int64, and a mask is boolean"),
        ({"source_mask": torch.zeros(2, 3, dtype=torch.bool)}, "^problem 0: its source side has no mass"),
        ({"source": torch.rand(2, 3, 16)}, "^target: .* 8 in its dimension 'dim', where source has 16"),
        ({"source": torch.rand(3, 8)}, r"^source: has shape \(3, 8\), and must have 3 dimensions"),
        ({"target": np.zeros((2, 4, 8), np.float32)}, r"^target: is a numpy\.ndarray"),
        ({"source_weights": torch.rand(2, 4), "marginals": "idf", "target_weights": torch.rand(2, 4)}, "^source_weig"),
        ({"order_weight": math.nan}, "^order_weight: is nan"),
    ],
)
def test_a_loss_of_arguments_that_disagree_is_refused(changes, said):
    with pytest.raises(UserError, match=said):
        transport_loss(**(pair() | changes))


# The compiled kernel takes multiples of eight dimensions; torch takes the others.
@pytest.mark.parametrize("dim", [8, 6])
@pytest.mark.parametrize("cost", ["cosine", "angular"])
@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("factor", [3.0, 0.5, 0.0])
def test_embeddings_that_are_not_of_length_one_are_refused(dim, cost, side, factor):
    given = pair(dim)
    given[side][1, 2] *= factor
    with pytest.raises(UserError, match=f"^{side}, pair 1: the embedding of its token 2 has length {factor:g}, "):
        transport_loss(**given, cost=cost)
    assert transport_loss(**given, cost="squared_euclidean").converged.all()


@pytest.mark.parametrize("dim", [8, 6])
def test_masked_tokens_may_have_any_embedding(dim):
    given = pair(dim)
    expected = transport_loss(**given).value
    given["source"][0, 2] *= 100
    torch.testing.assert_close(transport_loss(**given).value, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("dim", [128, 100])
def test_embeddings_normalised_in_half_precision_are_of_length_one(dtype, dim):
    generator = torch.Generator().manual_seed(6)
    side = normalize(torch.randn(64, 32, dim, generator=generator).to(dtype), dim=-1)
    real = torch.ones(64, 32, dtype=torch.bool)
    assert transport_loss(side, side, real, real).converged.all()


@pytest.mark.parametrize("dim", [8, 6])
@pytest.mark.parametrize("cost", ["cosine", "squared_euclidean"])
@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_embeddings_that_are_not_finite_are_both_a_bad_argument_and_a_numerical_failure(dim, cost, side, value):
    given = pair(dim)
    given[side][1, 2, 3] = value
    with pytest.raises(NumericalError, match=f"^{side}, pair 1: the embedding of its token 2 is not finite") as caught:
        transport_loss(**given, cost=cost)
    assert isinstance(caught.value, UserError)
    assert caught.value.exit_code == 4


FUZZ = """
import random, sys, torch
from optical.errors import UserError
from optical.ot import Potentials, Problem, solve, transport_loss
random.seed(int(sys.argv[1]))
torch.manual_seed(int(sys.argv[1]))
sizes = [0, 1, 2, 7, 8, 9, 31, 60, 300]
refused = solved = 0
def near(shape):
    shape = list(shape)
    kind = random.randrange(6)
    if kind == 0: shape[random.randrange(len(shape))] = random.choice(sizes)
    if kind == 1: random.shuffle(shape)
    if kind == 2: shape.pop(random.randrange(len(shape)))
    if kind == 3: shape.append(random.choice(sizes))
    return shape
for _ in range(400):
    b, n, m = (random.choice(sizes) for _ in range(3))
    cost, mass, other = (b, n, m), (b, n), (b, m)
    given = [near(shape) if random.random() < 0.5 else list(shape) for shape in (cost, mass, other)]
    right = given == [list(cost), list(mass), list(other)] and (not b or (n and m))
    start = random.random() < 0.3 and [near(mass), near(other)]
    right = right and (not start or start == [list(mass), list(other)])
    sides = [torch.rand(shape) for shape in given]
    sides[1:] = [side / side.sum(-1, keepdim=True) if side.ndim else side for side in sides[1:]]
    consistent = len(given[0]) == 3 and given[1] == given[0][:2] and given[2] == [given[0][0], given[0][2]]
    try:
        potentials = Potentials(*(torch.zeros(shape) for shape in start)) if start else None
        plan = solve(Problem(*sides), epsilon=0.1, max_iterations=20, start=potentials, backend="compiled")
        solved += 1
        assert plan.matrix.shape == sides[0].shape
        assert consistent, given
        assert not start or (start[0] == given[1] and start[1] == given[2]), (given, start)
    except UserError:
        refused += 1
        assert not right, (given, start)
    d = random.choice([8, 16])
    wanted = [(b, n, d), (b, m, d), (b, n), (b, m)]
    given = [near(shape) if random.random() < 0.3 else list(shape) for shape in wanted]
    right = given == [list(shape) for shape in wanted] and (not b or (n and m))
    sides = [torch.nn.functional.normalize(torch.randn(shape), dim=-1) if len(shape) else torch.ones(())
             for shape in given[:2]]
    try:
        masks = [torch.ones(shape, dtype=torch.bool) for shape in given[2:]]
        transport_loss(*sides, *masks, max_iterations=20, backend="compiled").value.sum()
        solved += 1
    except UserError:
        refused += 1
        assert not right, given
assert refused > 100 and solved > 50, (refused, solved)
"""


@pytest.mark.parametrize("seed", [0, 1])
def test_no_shape_reaches_the_kernel_that_it_would_read_outside_of(seed):
    """In a process of its own: a read outside of a tensor would end it."""
    ran = subprocess.run([sys.executable, "-c", FUZZ, str(seed)], capture_output=True, text=True, timeout=200)
    assert ran.returncode == 0, ran.stderr[-2000:]
