"""The verbs, one file each. A verb makes what it needs, skips what is done, and returns facts for its table."""
