"""The compiled kernel: what only it can get wrong. That it agrees with the others, test_conformance says."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from optical.ot.kernels.compiled import backend, threads
from optical.ot.kernels.compiled.elementary import exp2, logarithm
from optical.ot.kernels.compiled.jit import cache_folder, compiled
from optical.ot.kernels.compiled.memory import fetch_add
from optical.ot.kernels.compiled.vector import (
    LANES,
    add,
    get,
    keep_first,
    larger,
    least,
    load,
    load_all,
    load_first,
    magnitude,
    multiply_add,
    put,
    smaller,
    splat,
    store,
    sums,
    total,
)
from optical.ot.problem import Potentials, Problem
from optical.ot.settings import Settings


def cloud_problem(seed: int, batch: int, longest: int = 20, dim: int = 16) -> Problem:
    random = torch.Generator().manual_seed(seed)
    source, target = (
        torch.nn.functional.normalize(torch.randn(batch, longest, dim, generator=random), dim=-1) for _ in range(2)
    )
    lengths = torch.randint(1, longest + 1, (2, batch, 1), generator=random)
    masks = torch.arange(longest) < lengths
    a, b = masks.float() / lengths
    return Problem(1 - source @ target.transpose(1, 2), a, b)


def solve(problem: Problem, start: Potentials | None = None, **options):
    return backend.sinkhorn(problem, Settings(**{"epsilon": 0.05, "tolerance": 1e-5} | options), start)


@compiled
def _arithmetic(x, y, out):
    a, b = load(x, 0), load(y, 0)
    store(out, 0, multiply_add(a, b, splat(np.float32(2))))
    store(out, LANES, larger(a, b))
    store(out, 2 * LANES, smaller(a, b))
    store(out, 3 * LANES, magnitude(a))
    store(out, 4 * LANES, load_all(x, 2))
    store(out, 5 * LANES, load_first(x, 5, 3, b))
    store(out, 6 * LANES, keep_first(2, a, b))
    store(out, 7 * LANES, sums(a, b, a, b, a, b, b, add(a, b)))
    put(out, 8 * LANES, least(add(a, b)))
    put(out, 8 * LANES + 1, total(a))
    put(out, 8 * LANES + 2, get(x, 3))


def test_vectors_do_arithmetic_lane_by_lane():
    x = np.array([-2.6, -1.5, -0.4, 0.0, 0.4, 1.4, 2.6, 7.0], np.float32)
    y = np.array([1.0, -2.0, 3.0, 0.5, -0.5, 4.0, 2.0, -7.0], np.float32)
    out = np.zeros(9 * LANES, np.float32)
    _arithmetic(x, y, out)
    folded = [side.sum() for side in (x, y, x, y, x, y, y, x + y)]
    first = [np.full(LANES, x[2]), np.r_[x[5:], y[3:]], np.r_[x[:2], y[2:]]]
    expected = [x * y + 2, np.maximum(x, y), np.minimum(x, y), np.abs(x), *first, folded]
    np.testing.assert_allclose(out[: 8 * LANES].reshape(8, LANES), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(out[8 * LANES :][:3], [(x + y).min(), x.sum(), x[3]], rtol=1e-6)


@compiled
def _elementary(x, exponentials, logarithms):
    for c in range(0, len(x), LANES):
        store(exponentials, c, exp2(load(x, c)))
        store(logarithms, c, logarithm(exp2(load(x, c))))


def test_exponential_and_logarithm_are_exact_to_single_precision():
    x = np.linspace(-120, 120, 80_000, dtype=np.float32)
    exponentials, logarithms = np.empty_like(x), np.empty_like(x)
    _elementary(x, exponentials, logarithms)
    np.testing.assert_allclose(exponentials, np.exp2(x.astype(np.float64)), rtol=3e-7)
    np.testing.assert_allclose(logarithms, np.log(exponentials.astype(np.float64)), rtol=2e-7, atol=1e-7)


def test_machine_code_is_kept_by_its_sources_and_not_where_nothing_can_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))
    assert cache_folder().parent == tmp_path / "optical-kernels"
    (tmp_path / "a file").touch()
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path / "a file"))
    assert cache_folder() is None


@compiled
def _take(counter, most, taken):
    while True:
        first = fetch_add(counter, 1)
        if first >= most:
            break
        taken[first] += 1


def test_no_problem_is_taken_twice_or_left():
    counter, taken = np.zeros(1, np.int64), np.zeros(200_000, np.int64)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: _take(counter, len(taken), taken), range(4)))
    assert (taken == 1).all()


def test_threads_of_python_stand_in_for_those_of_torch(monkeypatch):
    problem = cloud_problem(9, 700)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    usual = solve(problem)
    monkeypatch.setattr(threads, "_openmp", lambda: None)
    assert torch.equal(solve(problem).matrix, usual.matrix)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_neither_threads_nor_neighbours_change_a_bit(count):
    problem, before = cloud_problem(1, 700), torch.get_num_threads()
    alone = [solve(problem.rows(slice(row, row + 1))) for row in range(0, 200, 17)]
    try:
        torch.set_num_threads(count)
        together = solve(problem)
    finally:
        torch.set_num_threads(before)
    for row, plan in zip(range(0, 200, 17), alone, strict=True):
        assert torch.equal(plan.matrix[0], together.matrix[row])
        assert plan.iterations[0] == together.iterations[row]


@pytest.mark.parametrize("width", [1, 7, 8, 9, 15, 33])
def test_rows_of_any_length_and_nothing_but_padding_is_zero(width):
    problem = cloud_problem(2, 61, longest=width)
    plan = solve(problem, tolerance=1e-6, max_iterations=20_000)
    assert plan.converged.all()
    assert torch.equal(plan.matrix > 0, problem.real)


def test_a_problem_stops_by_itself():
    plan = solve(cloud_problem(3, 64), acceleration="none", max_iterations=3000)
    assert plan.iterations.min() < 10
    assert plan.iterations.max() > 10 * plan.iterations.min()
    assert plan.converged.all()


def test_every_sweep_is_run_without_a_tolerance():
    plan = solve(cloud_problem(4, 20), tolerance=0.0, max_iterations=37)
    assert (plan.iterations == 37).all()


def test_over_relaxation_saves_sweeps_and_keeps_the_plan():
    plain, relaxed = (
        solve(cloud_problem(5, 64), epsilon=0.02, acceleration=acceleration, max_iterations=20_000)
        for acceleration in ("none", "overrelaxation")
    )
    assert relaxed.converged.all()
    assert relaxed.iterations.sum() < 0.7 * plain.iterations.sum()
    assert (relaxed.matrix - plain.matrix).abs().sum((1, 2)).max() < 1e-3


def test_a_warm_start_from_the_solution_ends_at_once():
    problem = cloud_problem(6, 40)
    cold = solve(problem, max_iterations=50_000)
    warm = solve(problem, Potentials(cold.f, cold.g))
    assert (warm.iterations <= 3).all()
    assert cold.iterations.float().mean() > 10
    torch.testing.assert_close(warm.matrix, cold.matrix, atol=1e-5, rtol=0)


@pytest.mark.parametrize("epsilon", [1e-3, 3e-3, 0.01])
def test_scalings_beyond_a_floats_range_are_absorbed(epsilon):
    random = torch.Generator().manual_seed(7)
    a, b = torch.full((16, 9), 1 / 9), torch.full((16, 11), 1 / 11)
    problem = Problem(2 * torch.rand(16, 9, 11, generator=random), a, b)
    plan = solve(problem, epsilon=epsilon, tolerance=1e-4, max_iterations=200_000)
    assert torch.isfinite(plan.matrix).all()
    assert torch.isfinite(plan.f).all()
    assert plan.converged.all()
    # The potentials have moved by far more than exp() of single precision holds.
    assert ((plan.f.amax(1) - plan.f.amin(1)) / epsilon).max() > 90
    rebuilt = torch.exp((plan.f.unsqueeze(2) + plan.g.unsqueeze(1) - problem.cost.double()) / epsilon)
    assert (rebuilt - plan.matrix).abs().sum((1, 2)).max() < 1e-4


def test_other_devices_and_precisions_are_told_apart():
    assert backend.unavailable(cloud_problem(0, 2)) is None
    single = cloud_problem(0, 2)
    double = Problem(single.cost.double(), single.a.double(), single.b.double())
    assert "float64" in backend.unavailable(double)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 2), (3, 5), (2, 9), (1, 8), (5, 12)])
def test_nothing_is_written_beyond_the_plans(n, m):
    room = torch.full((4 * n * m + 64,), 7.0)
    a, b = torch.full((4, n), 1 / n), torch.full((4, m), 1 / m)
    matrix = room[: 4 * n * m].view(4, n, m)
    backend._run(a, b, Settings(), None, cost=torch.rand(4, n, m), matrix=matrix)
    assert (room[4 * n * m :] == 7).all()
    torch.testing.assert_close(matrix.sum(1), b, rtol=0, atol=1e-4)
    torch.testing.assert_close(matrix.sum(2), a, rtol=0, atol=1e-4)
