"""The first columns of two tables whose rows correspond, as in MGSM."""

from itertools import zip_longest

from optical.data.bitext.joining import exactly, texts
from optical.data.bitext.reading import Format, Pairs, Reading
from optical.data.bitext.screen import screen
from optical.errors import DataError


def read(reading: Reading) -> Pairs:
    """The pairs of first columns.

    Raises:
        DataError: one table has more rows.
    """
    source_path, target_path = exactly(reading, 2)
    sides = ((line.partition("\t")[0] for line in texts(path)) for path in (source_path, target_path))
    for position, (source, target) in enumerate(zip_longest(*sides)):
        if source is None or target is None:
            raise DataError(f"{source_path}+{target_path}", "one table has more rows", "fetch both files again")
        yield screen(position, source, target, reading.limits)


FORMAT = Format(read)
