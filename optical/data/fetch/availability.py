"""Whether a data set can be had now: from the cache, a mirror or its origin."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit

from optical.data.fetch import download
from optical.data.fetch.resolve import cached_path, places
from optical.data.registry.entry import BUILT_IN, DataFile, DataSet

_TIMEOUT_SECONDS = 4.0
_AT_ONCE = 32


def availability(datasets: Iterable[DataSet], cache: Path, mirror: str | None) -> dict[str, str]:
    """Where each data set would be read from: ``built in``, ``cache``, ``mirror``, ``origin``, or ``no``.

    Addresses are asked all at once, each once and for their headers alone; a host that does not answer is not asked
    again, so that without a network this takes one time-out.
    """
    entries = list(datasets)
    probe = _Probe()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda entry: _place(entry, Path(cache), mirror, probe), entries)
    return {entry.name: place for entry, place in zip(entries, found, strict=True)}


def reachable(address: str) -> bool:
    """Whether an address answers; its headers alone are asked for."""
    return _Probe().has(address)


def _place(entry: DataSet, cache: Path, mirror: str | None, probe: "_Probe") -> str:
    if entry.origin == BUILT_IN:
        return "built in"
    seen = {_of_file(entry, file, cache, mirror, probe) for file in entry.files}
    return next(place for place in ("no", "origin", "mirror", "cache") if place in seen)


def _of_file(entry: DataSet, file: DataFile, cache: Path, mirror: str | None, probe: "_Probe") -> str:
    if cached_path(entry, file, cache).is_file():
        return "cache"
    for place, _ in places(entry, file, mirror):
        if probe.has(place):
            return "origin" if place == entry.url(file) else "mirror"
    return "no"


class _Probe:
    """Asks for files without fetching them."""

    def __init__(self) -> None:
        self._silent: set[str] = set()

    def has(self, place: str | Path) -> bool:
        if isinstance(place, Path):
            return place.is_file()
        host = urlsplit(place).netloc
        if host in self._silent:
            return False
        try:
            with download.answer(place, {}, "HEAD", _TIMEOUT_SECONDS):
                return True
        except HTTPError:
            return False
        except (OSError, HTTPException):
            self._silent.add(host)
            return False
