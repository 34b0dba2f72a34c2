"""The verbs of the command line, the recipes they run, and the studies built on both."""
