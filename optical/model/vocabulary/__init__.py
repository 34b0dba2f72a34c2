"""Vocabularies: how text becomes token ids, and how a vocabulary is learned and extended."""
