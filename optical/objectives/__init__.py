"""Objectives: what the trained encoder minimises, one file each, one interface (``base.Objective``)."""
