"""Tab-separated values without a header, with the target, which is English, before the source."""

from optical.data.bitext.readers.tsv import records
from optical.data.bitext.reading import Format, Pairs, Reading
from optical.data.bitext.table import read_table


def read(reading: Reading) -> Pairs:
    """The pairs of two columns; a header goes before the order."""
    return read_table(reading, records, tabs=True, english_first=True)


FORMAT = Format(read)
