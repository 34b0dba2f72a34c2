"""The user's cache: what was fetched or unpacked once, and can be made again."""

import os
from pathlib import Path


def default_cache() -> Path:
    """The folder of the cache: ``OPTICAL_CACHE``, or ``.cache/optical`` in the home folder."""
    return Path(os.environ.get("OPTICAL_CACHE", Path.home() / ".cache" / "optical"))
