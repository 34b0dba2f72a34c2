"""The work of one thread: it takes problems until none is left, solves each in its workspace and writes the results."""

import numpy as np

from optical.ot.checks import SUM_ROUNDING
from optical.ot.kernels.compiled.cells import absorb, make_plan, read_costs, start_potentials, write_plan
from optical.ot.kernels.compiled.jit import entry_point, inlined
from optical.ot.kernels.compiled.memory import fetch_add
from optical.ot.kernels.compiled.potentials import to_potentials
from optical.ot.kernels.compiled.products import cosine_costs, largest_deviation, source_gradient, target_gradient
from optical.ot.kernels.compiled.state import new_workspace, open_job, round_up
from optical.ot.kernels.compiled.sweeps import restore_range, sweep_until_done
from optical.ot.kernels.compiled.vector import LANES, add, get, load, put, splat, total

_PROBLEMS_PER_TAKE = 8
_ZERO = np.float32(0)


@inlined
def _gather(masses, start, length, tokens, own):
    """Copy the real tokens of one side and their masses into the workspace, padded with zeros.

    Returns the number of tokens, the sum of their masses, and whether every mass is 0 or more.
    """
    count, invalid = 0, 0
    for token in range(length):
        # Writing before counting avoids a branch.
        mass = get(masses, start + token)
        put(tokens, count, token)
        put(own, count, mass)
        count += mass > 0
        invalid += not mass >= 0
    for i in range(count, round_up(count)):
        put(own, i, _ZERO)
    mass = splat(_ZERO)
    for c in range(0, count, LANES):
        mass = add(mass, load(own, c))
    return count, total(mass), invalid == 0


@inlined
def _write_potentials(potentials, start, length, tokens, own, count):
    """Write the potentials of one side's real tokens into the batch, and -inf for the others."""
    for token in range(start, start + length):
        put(potentials, token, -np.inf)
    for i in range(count):
        put(potentials, start + get(tokens, i), get(own, i))


@inlined
def _solve(batch, rule, workspace, problem, n, m):
    if len(batch.cost):
        read_costs(batch, workspace, problem, n, m)
    else:
        source, target = problem * batch.n * batch.dim, problem * batch.m * batch.dim
        batch.source_deviation[problem] = largest_deviation(batch.source, source, workspace.rows, n, batch.dim)
        batch.target_deviation[problem] = largest_deviation(batch.target, target, workspace.columns, m, batch.dim)
        cosine_costs(batch, workspace, problem, n, m)
    if rule.warm:
        for i in range(n):
            workspace.f[i] = batch.f[problem * batch.n + workspace.rows[i]]
        for j in range(m):
            workspace.g[j] = batch.g[problem * batch.m + workspace.columns[j]]
    else:
        start_potentials(workspace, n, m)
    absorb(rule, workspace, n, m)
    batch.iterations[problem] = sweep_until_done(rule, workspace, n, m)
    restore_range(rule, workspace, n, m)
    batch.value[problem], batch.error[problem] = make_plan(workspace, n, m)
    to_potentials(rule, workspace, n, m)
    _write_potentials(batch.f, problem * batch.n, batch.n, workspace.rows, workspace.f, n)
    _write_potentials(batch.g, problem * batch.m, batch.m, workspace.columns, workspace.g, m)
    write_plan(batch, workspace, problem, n, m)


@inlined
def _balanced(rule, source, target):
    """Whether both sides have the same mass, and more than the tolerance."""
    return source > rule.tolerance and target > rule.tolerance and abs(source - target) <= SUM_ROUNDING * source


@inlined
def _write_gradients(batch, workspace, problem, n, m):
    """Write the gradients of a plan of an earlier job, which is read in place of the costs."""
    read_costs(batch, workspace, problem, n, m)
    if len(batch.by_source):
        source_gradient(batch, workspace, problem, n, m)
    if len(batch.by_target):
        target_gradient(batch, workspace, problem, n, m)


@entry_point
def work(address):
    """Work on the job at ``address``, which several threads share."""
    batch, rule = open_job(address)
    workspace = new_workspace(batch.n, batch.m)
    while True:
        first = fetch_add(batch.next_problem, _PROBLEMS_PER_TAKE)
        if first >= batch.problems:
            break
        for problem in range(first, min(first + _PROBLEMS_PER_TAKE, batch.problems)):
            n, source, source_valid = _gather(batch.a, problem * batch.n, batch.n, workspace.rows, workspace.a)
            m, target, target_valid = _gather(batch.b, problem * batch.m, batch.m, workspace.columns, workspace.b)
            if len(batch.scale):
                _write_gradients(batch, workspace, problem, n, m)
            elif source_valid and target_valid and _balanced(rule, source, target):
                _solve(batch, rule, workspace, problem, n, m)
            else:
                # The caller then looks for the cause and reports it.
                batch.value[problem] = batch.error[problem] = np.nan
                batch.iterations[problem] = 0
