"""The families of data sets behind the registry.

To add a data set, add its files to ``files.tsv`` and a family to ``bitext``, ``english`` or ``collections``.
"""

from collections.abc import Iterator

from optical.data.registry.entry import DataSet
from optical.data.registry.families import bitext, collections, demo, english, web


def entries() -> Iterator[DataSet]:
    """Every data set of the registry."""
    yield from demo.entries()
    for family in (*bitext.FAMILIES, *english.FAMILIES, *collections.FAMILIES):
        yield from family.entries()
    yield from web.entries()
