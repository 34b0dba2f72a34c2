"""A small bilingual world, made by rule from a seed: what the ``demo`` recipe learns from and is tested on.

Words are in ``nouns``, ``words`` and ``lexicon``, their forms in ``morphology``, sentences in ``swahili`` and
``english``, random meanings in ``sentences``, facts and questions in ``world``, files in ``corpus``.
"""

from optical.data.demo.corpus import FILES, write

__all__ = ["FILES", "write"]
