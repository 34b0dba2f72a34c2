"""OPTICAL: optimal-transport distillation of cross-lingual late-interaction retrievers."""

__version__ = "0.1.0"
