"""Training: one loop for teachers and students.

Reading order: ``job`` (what to train), ``step`` (one update), ``optimiser``, ``checkpoint``, ``dev`` (the dev
measure), ``worker`` (the loop on one rank), ``fit`` (the same loop on a Ray Train worker group).
"""
