"""Files that appear whole or not at all."""

import os
import uuid
from pathlib import Path

from optical.errors import UserError


def write_whole(path: Path, content: bytes) -> Path:
    """Write ``content`` so that a reader sees the old file or the new one, never a torn one.

    Raises:
        UserError: the path is a directory.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(path, "is a directory, and a file goes here", "give the path of a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".tmp-{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        with scratch.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    return path
