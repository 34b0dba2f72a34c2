"""The generator of the ``demo`` corpus: a small bilingual world, made by rule from a seed.

The library ships what it writes (``optical/data/registry/demo.zip``). ``python -m scripts.demo_corpus`` writes that
file again. Words are in ``nouns``, ``words`` and ``lexicon``, their forms in ``morphology``, sentences in ``swahili``
and ``english``, random meanings in ``sentences``, facts and questions in ``world``, files in ``corpus``.
"""
