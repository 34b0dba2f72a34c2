"""Objectives: the losses that training minimises, one file each, behind one interface (``base``).

To add an objective, add a file here: its name is the objective's name (``--objective.name``). The file holds a class
``Config``, which declares the settings and builds the objective, and the objective itself, a subclass of
``base.Objective`` with one method, ``losses``. ``tests/objectives/test_components.py`` adds a small example.
"""
