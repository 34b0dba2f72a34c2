"""Files in object stores: s3, gs and hf addresses (and all others that fsspec supports) as seekable streams."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import fsspec
from pyarrow import fs

from optical.errors import DataError, InfrastructureError, UserError

_ARROW = ("s3", "gs", "gcs")
_IDENTIFYING = ("size", "etag", "ETag", "checksum", "blob_id", "mtime", "LastModified", "created")


def is_remote(path: object) -> bool:
    """Whether a path is an address with a scheme."""
    return "://" in str(path)


@contextmanager
def open_remote(address: str) -> Iterator[BinaryIO]:
    """A seekable stream of a stored object.

    Raises:
        DataError: no such object.
        InfrastructureError: the store does not answer, or refuses.
        UserError: the scheme needs a package that is not installed, or is unknown.
    """
    with _named(address):
        if _scheme(address) in _ARROW:
            system, path = fs.FileSystem.from_uri(address)
            opened = system.open_input_file(path)
        else:
            opened = fsspec.open(address, "rb").open()
    with opened as stream:
        yield stream


def exists(address: str) -> bool:
    """Whether the store has the object.

    Raises:
        InfrastructureError: the store does not answer, or refuses.
        UserError: the scheme needs a package that is not installed, or is unknown.
    """
    with _named(address):
        if _scheme(address) in _ARROW:
            return _arrow_info(address).type == fs.FileType.File
        system, path = fsspec.core.url_to_fs(address)
        return system.isfile(path)


def identity(address: str) -> str:
    """A sha256 over the metadata of an object: address, size, and tag or time of change.

    The object is not read: a fingerprint must not download many gigabytes.
    """
    with _named(address):
        if _scheme(address) in _ARROW:
            info = _arrow_info(address)
            facts = {"size": info.size, "mtime": info.mtime_ns}
        else:
            system, path = fsspec.core.url_to_fs(address)
            facts = {name: value for name, value in system.info(path).items() if name in _IDENTIFYING}
    content = json.dumps([address, facts], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()


def _arrow_info(address: str) -> fs.FileInfo:
    system, path = fs.FileSystem.from_uri(address)
    return system.get_file_info(path)


def _scheme(address: str) -> str:
    return address.partition("://")[0]


@contextmanager
def _named(address: str) -> Iterator[None]:
    """Raise the errors of a store's client as one of ours, with the address."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(address, "no such object", "check the address") from None
    except ImportError as error:
        advice = "install it, or copy the file here and give the local path"
        raise UserError(
            address, f"{_scheme(address)} needs a package that is not installed ({error})", advice
        ) from None
    except ValueError as error:
        raise UserError(address, f"not an address that can be read ({error})", "use s3, gs or hf, or a path") from None
    except OSError as error:
        advice = "check the network and the credentials, or copy the file here"
        raise InfrastructureError(address, f"the store refuses or does not answer ({error})", advice) from error
