"""JSON objects in the files of a model folder."""

import json
from pathlib import Path
from typing import Any

from optical.errors import DataError


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object; empty if the file is missing.

    Raises:
        DataError: it is no JSON object, or cannot be read.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DataError(file, f"cannot be read ({(error.strerror or str(error)).lower()})", "replace it") from error
    except ValueError as error:
        raise DataError(file, f"is no JSON ({error})", "replace the file") from error
    if not isinstance(content, dict):
        raise DataError(file, "is no JSON object", "replace the file")
    return content
