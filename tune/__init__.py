"""Hyperparameter campaigns over recipes: the space, the objective, the search and its report."""
