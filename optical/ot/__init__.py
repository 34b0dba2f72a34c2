"""Entropic optimal transport for batches of small, ragged problems, in plain torch.

Reading order: ``problem`` (what goes in, what comes out), ``cost`` and ``marginals`` (how a sentence pair
becomes a problem), ``sinkhorn`` (the solver), ``loss`` (the differentiable <P, C>).

Letters, as in the literature: C cost, a and b marginals, P plan, f and g potentials, u and v scalings.
"""
