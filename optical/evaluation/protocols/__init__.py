"""Evaluation protocols: which systems are compared, with which baseline, by which test; one file each.

``evaluation.protocol`` names one of them. A file holds a class ``Config``, a subclass of ``base.EvaluationConfig``.
"""
