"""Fetching: from a registered name to verified files on this machine."""
