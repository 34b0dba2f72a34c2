"""A finished run as its folder holds it: recipe, collection and rankings. Nothing is made, and no weights are read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from optical import artefacts, components
from optical.artefacts import Fingerprint
from optical.data.collections.opening import collection_identity
from optical.errors import DataError, UserError
from optical.evaluation.baselines import Translation
from optical.evaluation.pretrained import file_name
from optical.evaluation.systems import Maker, Reading, System, parts_of, reads_english, with_added
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
        """Whether a training of this run has a part in a system, so that a seed decides its ranking."""
        return any(map(self._is_trained, self._parts(system))) if system in self._systems else True

    def has_student(self, system: str) -> bool:
        """Whether the student has a part in a system; of a protocol that is the user's own, this is not known."""
        return any(map(_is_students, self._parts(system)))

    def is_given(self, system: str) -> bool:
        """Whether a system reads the queries with what no training of this run has made: what there was before it."""
        return not (self.is_trained(system) or self.is_yardstick(system) or self._is_start(system))

    def is_yardstick(self, system: str) -> bool:
        """Whether a system reads translations by people instead of the queries."""
        return any(map(reads_english, self._parts(system)))

    def _parts(self, system: str) -> list[Maker]:
        makers = {name: known.made_by for name, known in self._systems.items()}
        return parts_of(makers[system], makers) if system in makers else []

    def _is_start(self, system: str) -> bool:
        return any(isinstance(part, Reading) and part.encoder == "start" for part in self._parts(system))

    def _is_trained(self, part: Maker) -> bool:
        teacher = self.recipe["teacher"]
        return _is_students(part) or (
            isinstance(part, Reading | Translation) and bool(teacher["scratch"] or teacher["training"])
        )

    @cached_property
    def _systems(self) -> dict[str, System]:
        """Its systems by name; none where the protocol was a file of the user's."""
        package, evaluation = "optical.evaluation.protocols", self.recipe["evaluation"]
        if evaluation["protocol"] not in components.names(package):
            return {}
        config: Any = components.config_class(package, evaluation["protocol"], "evaluation.protocol")
        added = evaluation["pretrained"], evaluation.get("baselines", ())
        return {system.name: system for system in with_added(config.systems, config.baseline, *added)}


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


def _is_students(part: Maker) -> bool:
    return isinstance(part, Reading) and part.encoder in ("student", "bridge")


def _ranking(folder: Path, system: str) -> Path:
    return folder / "runs" / f"{file_name(system)}.trec"
