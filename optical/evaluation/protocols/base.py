"""What every evaluation protocol shares: the systems it compares, its baseline, its measures and its tests."""

from collections.abc import Container, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, TypeVar

from optical.errors import DataError, UserError, require, require_seed
from optical.evaluation.notation import MEASURES, check_notation
from optical.evaluation.systems import Reading, System, check_possible, with_added

if TYPE_CHECKING:
    from optical.evaluation.significance import Interval

_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """The test collection, the systems that search it, and the measures."""

    version: ClassVar[int] = 1
    """Raise it when the same settings give other results: what an older version made is then made anew."""
    systems: ClassVar[tuple[System, ...]]
    """The systems to compare, in the order of every table."""
    subject: ClassVar[str] = "student"
    """Name of the system whose gain over the baseline the report explains topic by topic."""
    ceiling: ClassVar[str] = ""
    """Name of the system whose measure the subject's is divided by; empty where there is none."""
    test: ClassVar[str] = (
        "a two-sided randomisation test over topics (every assignment of signs where few topics differ, else "
        "{resamples:,} random ones), Holm-corrected for {comparisons} comparison(s)"
    )
    """What ``p_value`` and ``corrected`` do, for the report. A class that overrides one of them has its own."""

    collection: str = ""
    """Registry name of the collection, or a folder with passages, topics and qrels."""
    protocol: str
    """Which systems are compared, with which baseline, by which test."""
    measures: tuple[str, ...] = MEASURES
    """Measures in the notation of ir_measures; the differences between systems are tested on the first."""
    seed: int = 0
    """Seed of the bootstrap and the randomisation test."""
    resamples: int = 10_000
    """Bootstrap resamples and sign flips."""
    pretrained: tuple[str, ...] = ()
    """Pretrained encoders to compare with, each a system of its own: ``dense:`` (one vector for each text) or ``late:``
    (one for each token), then a registered model, a folder, or a hub id with ``@`` and its commit of 40 digits."""
    baseline: str
    """The system that all others are tested against: one of the protocol's, or one that ``pretrained`` or ``baselines``
    adds, by the name that tables give it. The default of a protocol's class is its usual one."""
    baselines: tuple[str, ...] = ()
    """Baselines to compare with, each a system of its own: ``bm25:query``, ``bm25:english`` (by a person),
    ``bm25:lexicon`` and ``translate:lexicon`` (a lexicon of the run's bitext), ``translate:<weights>`` (a folder or a
    hub id with ``@`` and its commit, then ``:source-target`` language codes if it needs them), ``fusion:A+B``."""

    def __init_subclass__(cls) -> None:
        """Refuse a class whose report would describe the test that it replaces."""
        super().__init_subclass__()
        if (own := {"p_value", "corrected"} & vars(cls).keys()) and "test" not in vars(cls):
            what = f"overrides {' and '.join(sorted(own))}, and its `test` still describes the inherited one"
            raise UserError(f"the protocol {cls.__module__}.{cls.__name__}", what, "say in `test` what it does")

    def __post_init__(self) -> None:
        check_notation("evaluation.measures", self.measures)
        require_seed("evaluation.seed", self.seed)
        require(self.resamples > 0, "evaluation.resamples", f"is {self.resamples}", "set at least 1")
        possible = [system.name for system in self.compared if system.name != self.subject]
        what = f"is {self.baseline!r}, which is {'what is tested' if self.baseline == self.subject else 'not compared'}"
        require(self.baseline in possible, "evaluation.baseline", what, f"choose from {', '.join(possible)}")

    @property
    def usual_baseline(self) -> str:
        """The baseline of a recipe that names no other."""
        return next(str(item.default) for item in fields(self) if item.name == "baseline")

    @cached_property
    def compared(self) -> tuple[System, ...]:
        """The systems of the protocol, and those that settings add, which stand behind its usual baseline."""
        return with_added(self.systems, self.usual_baseline, self.pretrained, self.baselines)

    @property
    def tested(self) -> str:
        """The measure whose differences between systems are tested."""
        return self.measures[0]

    def possible(self, encoders: Container[str], texts: Container[str]) -> tuple[System, ...]:
        """The systems that a run can measure: those of the protocol as far as they are possible, and all added ones.

        Args:
            encoders: the encoders that the run has; ``start`` only where it differs from the teacher.
            texts: those that every topic has.

        Raises:
            DataError: an added system is not possible, or the baseline is not among them.
        """
        found: list[System] = []
        for system in self.compared:
            made_by = system.made_by
            if isinstance(made_by, Reading) and not (made_by.encoder in encoders and made_by.text in texts):
                continue
            check_possible(system, {other.name for other in found}, texts, self.collection)
            found.append(system)
        if self.baseline not in (system.name for system in found):
            what = f"evaluation.baseline is {self.baseline}, which this run cannot measure"
            advice = "give every topic its English translation, or choose another evaluation.baseline"
            raise DataError(self.collection, what, advice)
        return tuple(found)

    def ordered(self, names: Iterable[str]) -> list[str]:
        """Names of systems in the order of the protocol; names that it does not have come last, in the order given."""
        known = {system.name: place for place, system in enumerate(self.compared)}
        return sorted(names, key=lambda name: known.get(name, len(known)))

    def label(self, name: str) -> str:
        """The name of a system inside a sentence."""
        return next((system.label for system in self.compared if system.name == name), name)

    def interval(self, values: Sequence[float]) -> "Interval":
        """The confidence interval of a measure's mean, from its values per topic."""
        from optical.evaluation.significance import bootstrap_interval

        return bootstrap_interval(values, self.resamples, self.seed)

    def p_value(self, system: Sequence[float], other: Sequence[float]) -> float:
        """P-value of the difference between two systems, from their values per topic, topics alike."""
        from optical.evaluation.significance import paired_randomisation

        return paired_randomisation(system, other, self.resamples, self.seed)

    def corrected(self, p_values: Mapping[_Key, float]) -> dict[_Key, float]:
        """The p-values of all comparisons, corrected for their number."""
        from optical.evaluation.significance import holm

        return holm(p_values)
