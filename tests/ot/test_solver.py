"""The one door: methods, acceleration and backends behind ``solve``, and what it refuses."""

import sys

import pytest
import torch

from optical.errors import UserError
from optical.ot.kernels import backends
from optical.ot.problem import Potentials, Problem
from optical.ot.settings import Settings
from optical.ot.solver import solve


@pytest.mark.parametrize("method", ["sinkhorn", "ipot", "unbalanced", "partial", "exact"])
def test_every_method_answers_with_evidence(ragged, method):
    problem = ragged(1)
    plan = solve(problem, method, epsilon=0.2, mass=0.5, max_iterations=300)
    assert plan.matrix.shape == problem.cost.shape
    assert (plan.matrix[~problem.real] == 0).all()
    assert plan.converged.all()
    if method == "partial":
        torch.testing.assert_close(plan.matrix.sum((1, 2)), torch.full((4,), 0.5, dtype=torch.float64))


def test_newton_begins_where_two_hundred_sweeps_end(clouds):
    problem = clouds(3, batch=24)
    swept, finished = (
        solve(problem, epsilon=0.003, acceleration=name, max_iterations=300, backend="torch")
        for name in ("overrelaxation", "newton")
    )
    slow = ~swept.converged
    assert slow.any()
    assert finished.converged.all()
    assert (finished.iterations[slow] > 200).all()
    easy = swept.iterations <= 200
    assert torch.equal(finished.iterations[easy], swept.iterations[easy])
    none = solve(problem, epsilon=0.003, max_iterations=150, backend="torch")
    assert none.iterations.max() == 150


def test_an_earlier_plan_is_a_start(clouds):
    problem = clouds(4, batch=8)
    first = solve(problem, epsilon=0.05, backend="torch")
    again = solve(problem, epsilon=0.05, backend="torch", start=Potentials(first.f, first.g))
    assert again.iterations.max() <= 4


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"epsilon": 0.0}, "epsilon"),
        ({"epsilon": -0.1}, "epsilon"),
        ({"tolerance": -1e-3}, "tolerance"),
        ({"max_iterations": 0}, "max_iterations"),
        ({"penalty": 0.0}, "penalty"),
        ({"mass": 0.0}, "mass"),
    ],
)
def test_what_no_solver_can_work_with_is_refused(ragged, options, field):
    with pytest.raises(UserError, match=f"^{field}: "):
        solve(ragged(1), **options)


@pytest.mark.parametrize(("side", "name"), [(0, "source"), (1, "target")])
def test_a_row_without_mass_is_refused_by_number(side, name):
    masses = [torch.full((3, 2), 0.5), torch.full((3, 2), 0.5)]
    masses[side][1] = 0
    with pytest.raises(UserError, match=f"^problem 1: its {name} side has no mass"):
        solve(Problem(torch.zeros(3, 2, 2), *masses))


def test_auto_takes_the_compiled_backend_for_single_precision_on_the_cpu(ragged, monkeypatch):
    single, double = ragged(1, dtype=torch.float32), ragged(1)
    pytest.importorskip("numba")
    assert backends.choose(single, Settings()) == "compiled"
    assert backends.choose(double, Settings()) == "torch"
    assert backends.choose(single, Settings(method="ipot")) == "torch"
    assert backends.choose(single, Settings(backend="torch")) == "torch"
    monkeypatch.setitem(sys.modules, "numba", None)
    assert backends.choose(single, Settings()) == "torch"


def test_a_backend_that_cannot_is_refused_by_name_with_the_reason(ragged, monkeypatch):
    single = ragged(1, dtype=torch.float32)
    with pytest.raises(UserError, match=r"^backend 'triton': needs an NVIDIA GPU .*use auto"):
        solve(single, backend="triton")
    with pytest.raises(UserError, match=r"^backend 'compiled': the problem is torch.float64"):
        solve(ragged(1), backend="compiled")
    with pytest.raises(UserError, match=r"^backend 'compiled': the method 'partial' is solved by torch only"):
        solve(single, "partial", mass=0.5, backend="compiled")
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(UserError, match=r"^backend 'compiled': numba cannot be imported"):
        solve(single, backend="compiled")


def test_a_fused_kernel_is_for_the_loss_it_knows():
    source = target = torch.zeros(1, 2, 8)
    assert backends.fused(source, target, Settings(), plain=True) == "compiled"
    assert backends.fused(source, target, Settings(backend="compiled"), plain=True) == "compiled"
    assert backends.fused(source, target, Settings(), plain=False) is None
    assert backends.fused(source.double(), target.double(), Settings(), plain=True) is None
    assert backends.fused(source[:, :, :7], target[:, :, :7], Settings(), plain=True) is None
    assert backends.fused(source, target, Settings(backend="torch"), plain=True) is None
    with pytest.raises(UserError, match="^backend 'triton': .*detached plan"):
        backends.fused(source, target, Settings(backend="triton"), plain=False)
    with pytest.raises(UserError, match="^backend 'triton': the method 'ipot'"):
        backends.fused(source, target, Settings(backend="triton", method="ipot"), plain=True)
