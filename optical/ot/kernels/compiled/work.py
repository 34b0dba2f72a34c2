"""What one thread does: it takes problems while there are any, solves each at its desk, and writes what is wanted."""

import numpy as np

from optical.ot.checks import SUM_ROUNDING
from optical.ot.kernels.compiled.cells import absorb, make_plan, read_costs, start_potentials, write_plan
from optical.ot.kernels.compiled.jit import entry_point, inlined
from optical.ot.kernels.compiled.memory import take
from optical.ot.kernels.compiled.potentials import to_potentials
from optical.ot.kernels.compiled.products import cosine_costs, farthest_from_unit, source_gradient, target_gradient
from optical.ot.kernels.compiled.state import empty_desk, open_job, whole
from optical.ot.kernels.compiled.sweeps import into_range, sweep_to_the_end
from optical.ot.kernels.compiled.vector import LANES, add, get, load, put, splat, total

_AT_ONCE = 8
_ZERO = np.float32(0)


@inlined
def _real(masses, start, length, tokens, own):
    """Put the real tokens of one side and their masses on the desk, and fill up with zeros.

    Returns their number, their sum, and whether every mass is 0 or more.
    """
    count, wrong = 0, 0
    for token in range(length):
        # Written first and counted after, so that no branch has to be guessed.
        mass = get(masses, start + token)
        put(tokens, count, token)
        put(own, count, mass)
        count += mass > 0
        wrong += not mass >= 0
    for i in range(count, whole(count)):
        put(own, i, _ZERO)
    mass = splat(_ZERO)
    for c in range(0, count, LANES):
        mass = add(mass, load(own, c))
    return count, total(mass), wrong == 0


@inlined
def _leave(potentials, start, length, tokens, own, count):
    """Write the potentials of one side's real tokens to their places in the batch, and -inf for the others."""
    for token in range(start, start + length):
        put(potentials, token, -np.inf)
    for i in range(count):
        put(potentials, start + get(tokens, i), get(own, i))


@inlined
def _solve(batch, rule, desk, problem, n, m):
    if len(batch.cost):
        read_costs(batch, desk, problem, n, m)
    else:
        source, target = problem * batch.n * batch.dim, problem * batch.m * batch.dim
        batch.source_far[problem] = farthest_from_unit(batch.source, source, desk.rows, n, batch.dim)
        batch.target_far[problem] = farthest_from_unit(batch.target, target, desk.columns, m, batch.dim)
        cosine_costs(batch, desk, problem, n, m)
    if rule.warm:
        for i in range(n):
            desk.f[i] = batch.f[problem * batch.n + desk.rows[i]]
        for j in range(m):
            desk.g[j] = batch.g[problem * batch.m + desk.columns[j]]
    else:
        start_potentials(desk, n, m)
    absorb(rule, desk, n, m)
    batch.iterations[problem] = sweep_to_the_end(rule, desk, n, m)
    into_range(rule, desk, n, m)
    batch.value[problem], batch.error[problem] = make_plan(desk, n, m)
    to_potentials(rule, desk, n, m)
    _leave(batch.f, problem * batch.n, batch.n, desk.rows, desk.f, n)
    _leave(batch.g, problem * batch.m, batch.m, desk.columns, desk.g, m)
    write_plan(batch, desk, problem, n, m)


@inlined
def _balanced(rule, source, target):
    """Whether there is mass, the same on both sides, and more than a plan may miss."""
    return source > rule.tolerance and target > rule.tolerance and abs(source - target) <= SUM_ROUNDING * source


@inlined
def _derive(batch, desk, problem, n, m):
    """Gradients of a plan found before, which stands in the place of the costs."""
    read_costs(batch, desk, problem, n, m)
    if len(batch.by_source):
        source_gradient(batch, desk, problem, n, m)
    if len(batch.by_target):
        target_gradient(batch, desk, problem, n, m)


@entry_point
def work(address):
    """Serve the job at an address, together with the other threads that serve it."""
    batch, rule = open_job(address)
    desk = empty_desk(batch.n, batch.m)
    while True:
        first = take(batch.waiting, _AT_ONCE)
        if first >= batch.problems:
            break
        for problem in range(first, min(first + _AT_ONCE, batch.problems)):
            n, source, fine = _real(batch.a, problem * batch.n, batch.n, desk.rows, desk.a)
            m, target, right = _real(batch.b, problem * batch.m, batch.m, desk.columns, desk.b)
            if len(batch.scale):
                _derive(batch, desk, problem, n, m)
            elif fine and right and _balanced(rule, source, target):
                _solve(batch, rule, desk, problem, n, m)
            else:
                # The caller finds out what is wrong, and says it.
                batch.value[problem] = batch.error[problem] = np.nan
                batch.iterations[problem] = 0
