"""``python -m scripts.demo_corpus``: write the demo corpus into the package, and print the sha256 of each file.

The hashes belong in ``optical/data/registry/families/demo.py``.
"""

import hashlib
import tempfile
import zipfile
from pathlib import Path

from optical.data.registry.families.demo import ARCHIVE
from scripts.demo_corpus.corpus import FILES, write

_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip archive can hold: equal files give equal bytes


def pack(folder: Path, archive: Path) -> None:
    """Pack the six files of ``folder`` into a zip archive; equal files give equal bytes."""
    with zipfile.ZipFile(archive, "w") as packed:
        for name in FILES:
            info = zipfile.ZipInfo(name, _TIME)
            info.compress_type, info.external_attr = zipfile.ZIP_BZIP2, 0o644 << 16
            packed.writestr(info, (folder / name).read_bytes())


def main() -> None:
    """Generate, pack, and print what was made."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        pack(Path(folder), ARCHIVE)
        for name in FILES:
            print(name, hashlib.sha256((Path(folder) / name).read_bytes()).hexdigest())
    print(ARCHIVE, ARCHIVE.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
