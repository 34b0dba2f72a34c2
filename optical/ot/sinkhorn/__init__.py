"""What the Sinkhorn-like methods share in plain torch: forms of the sweep, Newton steps, groups of like size."""
