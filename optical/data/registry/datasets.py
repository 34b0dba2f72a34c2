"""The registry: each public data set named once, with origin, hash, licence and reader."""

from functools import cache
from pathlib import Path

from optical.data.registry import families
from optical.data.registry.entry import DataSet
from optical.errors import DataError, UserError, suggest


@cache
def datasets() -> dict[str, DataSet]:
    """Every registered data set by name."""
    return {entry.name: entry for entry in families.entries()}


def dataset(name: str) -> DataSet:
    """The data set registered under a name.

    Raises:
        UserError: no such data set.
        DataError: the name is a path, and there is no such folder.
    """
    if found := datasets().get(name):
        return found
    if "/" in name or Path(name).exists():
        what = "is a file, and no registered data set" if Path(name).is_file() else "no such file or folder"
        advice = "a collection is a folder with passages.tsv, topics.tsv and qrels.txt; prepare --list names the others"
        raise DataError(name, what, advice)
    advice = suggest(name, datasets(), "python -m pipelines prepare --list names them all", most=3, likeness=0.5)
    raise UserError(f"data set {name!r}", "not in the registry", advice)
