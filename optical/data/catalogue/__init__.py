"""The catalogue: the tables behind the registry.

To add a data set, add its files to ``files.tsv`` and a family to ``bitext``, ``english`` or ``collections``.
"""

from collections.abc import Iterator

from optical.data.catalogue import bitext, collections, demo, english, web
from optical.data.entry import DataSet


def entries() -> Iterator[DataSet]:
    """Every data set of the registry."""
    yield from demo.entries()
    for family in (*bitext.FAMILIES, *english.FAMILIES, *collections.FAMILIES):
        yield from family.entries()
    yield from web.entries()
