"""The systems of a run: each has a name, a meaning, and what makes its ranking of the passages."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from optical.errors import DataError
from optical.evaluation.baselines import FIELD, Baseline, Bm25, Fusion, Translation, is_fusion, parse_baseline
from optical.evaluation.pretrained import Pretrained, distinct_names, parse_pretrained


@dataclass(frozen=True)
class Reading:
    """An encoder of the run reads a text of every topic, and searches the teacher's embeddings of the passages."""

    encoder: Literal["teacher", "start", "bridge", "student"]
    """Which: ``start`` is the student before its first step, ``bridge`` the student after its bridge."""
    text: Literal["query", "english"]
    """What it reads: the query, or its English translation by a person."""


Maker = Reading | Pretrained | Bm25 | Translation | Fusion
"""What makes a run: everything that ``pipelines/graph/searching`` knows how to search with."""


@dataclass(frozen=True, kw_only=True)
class System:
    """One way from the topics to a ranking of the passages; its results are one run."""

    name: str
    """Its name in run files, tables and JSON."""
    made_by: Maker
    """What makes its run."""
    label: str
    """Its name inside a sentence."""
    meaning: str
    """Its definition in the report, without a full stop."""

    @property
    def is_added(self) -> bool:
        """Whether a setting has put it beside the systems of the protocol."""
        return not isinstance(self.made_by, Reading)


def with_added(
    systems: Sequence[System], baseline: str, pretrained: Sequence[str], baselines: Sequence[str]
) -> tuple[System, ...]:
    """All systems of a run in the order of its tables.

    Pretrained encoders and baselines stand behind the system that others are tested against, and have names that no
    other system has. Fusions stand last: they need the runs of what they fuse.

    Args:
        systems: of the protocol.
        baseline: name of the one that all others are tested against.
        pretrained: specs of pretrained encoders.
        baselines: specs of baselines.

    Raises:
        UserError: a spec names nothing, or a fusion of systems that are not there.
    """
    single = [spec for spec in baselines if not is_fusion(spec)]
    makers = [*map(parse_pretrained, pretrained), *(parse_baseline(spec, ()) for spec in single)]
    own = [system.name for system in systems]
    added = _named(makers, own)
    names = [*own, *(system.name for system in added)]
    fused = _named([parse_baseline(spec, names) for spec in baselines if is_fusion(spec)], names)
    place = own.index(baseline) + 1 if baseline in own else len(own)
    return (*systems[:place], *added, *systems[place:], *fused)


def rivals(systems: Sequence[System]) -> list[str]:
    """Names of the added systems that compete with the student: they have neither the student nor a person's English.

    A pretrained encoder is one, and so is every baseline that reads the query and is no fusion with the student.
    """
    makers = {system.name: system.made_by for system in systems}
    return [
        system.name for system in systems if system.is_added and all(map(_is_rival, parts_of(system.made_by, makers)))
    ]


def check_possible(system: System, found: Container[str], texts: Container[str], collection: str) -> None:
    """Refuse an added system that a run cannot have.

    Args:
        system: pretrained encoders are always possible.
        found: names of the systems that the run has.
        texts: those that every topic has.
        collection: the test collection, for the message.

    Raises:
        DataError: topics lack their English, or the run lacks a system to fuse.
    """
    made_by = system.made_by
    if isinstance(made_by, Bm25) and made_by.reads == "english" and "english" not in texts:
        what = f"{FIELD} has {system.name}, and not every topic has its English translation"
        raise DataError(collection, what, "give every topic its English, or leave it out")
    if isinstance(made_by, Fusion):
        for name in made_by.systems:
            if name not in found:
                what = f"{FIELD} has {system.name}, and this run cannot measure {name}"
                raise DataError(collection, what, "fuse other systems, or leave it out")


def _named(makers: Sequence[Pretrained | Baseline], taken: Sequence[str]) -> tuple[System, ...]:
    names = distinct_names([maker.name for maker in makers], taken)
    return tuple(
        System(name=name, made_by=maker, label=name, meaning=maker.meaning)
        for name, maker in zip(names, makers, strict=True)
    )


def parts_of(made_by: Maker, makers: Mapping[str, Maker]) -> list[Maker]:
    """What a run is made of: for a fusion what makes each run that it fuses.

    Args:
        made_by: of a system.
        makers: of all systems by their names.
    """
    return [makers[name] for name in made_by.systems] if isinstance(made_by, Fusion) else [made_by]


def reads_english(part: Maker) -> bool:
    """Whether a translation by a person is read, so that the system is a yardstick and no rival."""
    return (isinstance(part, Reading) and part.text == "english") or (
        isinstance(part, Bm25) and part.reads == "english"
    )


def _is_rival(part: Maker) -> bool:
    own = isinstance(part, Reading) and part.encoder != "teacher"
    return not (own or reads_english(part))
