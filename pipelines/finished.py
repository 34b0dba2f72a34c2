"""A finished run as its folder holds it: recipe, collection and rankings. Nothing is made, and no weights are read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from optical import artefacts, components
from optical.artefacts import Fingerprint
from optical.data.collections.opening import collection_identity
from optical.errors import DataError, UserError
from optical.evaluation.pretrained import DENSE, LATE, file_name
from optical.evaluation.protocols.base import System
from pipelines.environment import SHARED, Settings
from pipelines.graph.collection import COLLECTION
from pipelines.run_file import RUN_FILE

EVALUATION = "evaluation.json"
_FORMS = "give the folders of finished runs, such as runs/demo-0123456789ab"


@dataclass(frozen=True)
class Finished:
    """The record of a finished run.

    Args:
        folder: of the run.
        record: the content of its ``run.json``.
        means: the mean of each measure by system, as ``evaluate`` has written them.
        collection: the folder of its test collection.
    """

    folder: Path
    record: Mapping
    means: Mapping[str, Mapping[str, float]]
    collection: Path

    @property
    def recipe(self) -> Mapping:
        """The recipe as plain values."""
        return self.record["recipe"]

    @property
    def measures(self) -> tuple[str, ...]:
        """Its measures; the first is the tested one."""
        return tuple(self.recipe["evaluation"]["measures"])

    def ranking(self, system: str) -> Path:
        """The TREC run of a system."""
        return _ranking(self.folder, system)

    def is_trained(self, system: str) -> bool:
        """Whether a training of this run has made the encoder of a system, so that a seed decides its ranking."""
        teacher = self.recipe["teacher"]
        own = self._systems.get(system)
        if _is_pretrained(system):
            return False
        return own is None or own.encoder in ("student", "bridge") or bool(teacher["scratch"] or teacher["training"])

    def is_given(self, system: str) -> bool:
        """Whether a system reads the queries with an encoder that this run has not made: what there was before it."""
        own = self._systems.get(system)
        read = own is not None and (own.encoder, own.field) == ("teacher", "query")
        return _is_pretrained(system) or (read and not self.is_trained(system))

    def is_yardstick(self, system: str) -> bool:
        """Whether a system reads translations by people instead of the queries."""
        return system in self._systems and self._systems[system].field == "english"

    @cached_property
    def _systems(self) -> dict[str, System]:
        """The systems of its protocol by name; none where the protocol was a file of the user's."""
        package = "optical.evaluation.protocols"
        protocol = self.recipe["evaluation"]["protocol"]
        if protocol not in components.names(package):
            return {}
        config = components.config_class(package, protocol, "evaluation.protocol")
        return {system.name: system for system in getattr(config, "systems", ())}


def open_finished(folder: Path, settings: Settings) -> Finished:
    """Read the record of a finished run, and check that it is complete.

    Args:
        folder: of the run.
        settings: the cache and the mirror, where the registry does not know the hashes of the collection.

    Raises:
        DataError: no such folder, no folder of a run, a damaged record, or a collection that is no longer there.
        UserError: the run is not finished; the advice is the command that goes on with it.
    """
    if not folder.is_dir():
        raise DataError(folder, "no such folder", _FORMS)
    record = _read(folder / RUN_FILE, "recipe", "fingerprint")
    if record is None:
        raise DataError(folder, f"is no folder of a run: it has no {RUN_FILE}", _FORMS)
    evaluation = _read(folder / EVALUATION, "measures")
    if verb := _missing(folder, evaluation):
        options = f"--runs-dir {folder.absolute().parent} --run-name {folder.absolute().name}"
        command = f"python -m pipelines {verb} --recipe {folder / RUN_FILE} {options}"
        raise UserError(folder, f"this run is not finished: {verb} has not been done", f"go on with: {command}")
    means = evaluation["measures"] if evaluation else {}
    return Finished(folder, record, means, _collection(folder, record, settings))


def _missing(folder: Path, evaluation: Mapping | None) -> str | None:
    """The first verb that a run lacks."""
    named = evaluation["measures"] if evaluation else {}
    lacking = [name for name in named if not _ranking(folder, name).is_file()]
    if named and not lacking:
        return None
    if not (folder / "student" / "encoder" / artefacts.MANIFEST).is_file():
        return "train"
    return "search" if lacking or not any((folder / "runs").glob("*.trec")) else "evaluate"


def _collection(folder: Path, record: Mapping, settings: Settings) -> Path:
    """The collection artefact beside a run, verified by its hashes."""
    identity = record.get("origin", {}).get(COLLECTION.kind)
    if identity is None:
        source = record["recipe"]["evaluation"]["collection"], settings.cache, settings.mirror
        version = record.get("versions", {}).get(COLLECTION.kind, COLLECTION.version)
        identity = Fingerprint.of(COLLECTION.kind, version, collection_identity(*source))
    path = folder.absolute().parent / SHARED / f"{COLLECTION.kind}-{identity[:12]}"
    return artefacts.read(path, COLLECTION.kind, identity).path


def _read(path: Path, *keys: str) -> Mapping | None:
    """A JSON file with some keys; None where there is no file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DataError(path, f"is no JSON ({error})", "do the run's verb again, or leave this run out") from None
    if not isinstance(content, dict) or any(key not in content for key in keys):
        raise DataError(path, f"lacks one of {', '.join(keys)}", "do the run's verb again, or leave this run out")
    return content


def _ranking(folder: Path, system: str) -> Path:
    return folder / "runs" / f"{file_name(system)}.trec"


def _is_pretrained(system: str) -> bool:
    return system.startswith((f"{DENSE}:", f"{LATE}:"))
