"""Quantised encoders that Python packages contain, unpacked into model folders."""
