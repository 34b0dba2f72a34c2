"""Two bibles with a verse a line, and a third file with the reference of each line, as eBible.org has them."""

from itertools import zip_longest

from optical.data.bitext.joining import exactly, same_chapters, texts
from optical.data.bitext.reading import Format, Pairs, Reading
from optical.errors import DataError


def read(reading: Reading) -> Pairs:
    """The pairs of verses (see ``same_chapters``); an empty line is a verse that the edition lacks.

    Raises:
        DataError: a bible has another number of lines than the references.
    """
    source_path, target_path, reference_path = exactly(reading, 3)
    references = [reference.strip() for reference in texts(reference_path)]
    sources: dict[str, str] = {}
    targets: dict[str, str] = {}
    for path, side in ((source_path, sources), (target_path, targets)):
        for reference, verse in zip_longest(references, texts(path)):
            if reference is None or verse is None:
                raise DataError(path, f"has not the {len(references)} lines of {reference_path}", "fetch both again")
            if verse.strip():
                side[reference] = verse
    return same_chapters(sources, targets, reading)


FORMAT = Format(read)
