"""The artefacts of a run, each declared once: what it is made from, where it is, and how it is made."""
