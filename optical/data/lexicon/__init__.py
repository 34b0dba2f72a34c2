"""A bilingual lexicon: words, the model that learns their translations from pairs, and the artefact that keeps them."""
