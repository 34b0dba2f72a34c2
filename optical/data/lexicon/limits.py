"""What a lexicon is learned from and keeps; apart from its code, so that a recipe imports no arrays."""

SWEEPS = 5
"""Of expectation maximisation."""
LEAST_PROBABILITY = 0.2
"""What a translation needs to stand beside the most probable one."""
MOST_WORDS = 3
"""Translations of one word at most."""
MOST_PAIRS = 200_000
"""Of a larger bitext so many pairs are read, evenly spaced."""
LONGEST = 64
"""Words of a side; a pair with a longer one is left out."""
