"""Batches: from clean shards to the padded tensors of each training step."""
