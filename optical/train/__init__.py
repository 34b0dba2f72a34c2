"""Training: one loop for teachers and students.

Reading order: ``job`` (what to train), ``step`` (one update), ``optimiser``, ``checkpoint``, ``dev`` (the dev
measure), ``loop`` (the loop on one rank), ``ray`` (the same loop on a Ray Train worker group), ``failure``.
"""
