"""Shared by the Sinkhorn-like methods in torch: forms of the sweep, Newton steps, chunks of similar size."""
