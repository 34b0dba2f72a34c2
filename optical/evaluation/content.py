"""What a report is made of: the caller fills these records, the report only shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from optical.evaluation.measures import Measured
from optical.evaluation.plots import PlanPicture
from optical.evaluation.significance import Interval


@dataclass(frozen=True)
class DatasetFact:
    """One data set of the run: its name, licence, and what it gave."""

    name: str
    licence: str
    use: str = "bitext"
    """What the run used it for, e.g. ``bitext`` or ``evaluation``."""
    size: str = ""
    """How much of it there is, in words, e.g. ``30,782 pairs``."""


@dataclass(frozen=True)
class DataFacts:
    """Counts of the sentence pairs: ``accepted`` plus all ``rejects`` are the physical pairs."""

    accepted: int
    rejects: Mapping[str, int] = field(default_factory=dict)
    """Rejected pairs by reason."""
    datasets: Sequence[DatasetFact] = ()
    """The data sets used, with licence."""


@dataclass(frozen=True)
class TopicText:
    """A topic as a person reads it: the query, and its English translation where one exists."""

    source: str
    target: str = ""


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything a report shows; empty parts are left out of it."""

    recipe: Mapping[str, object]
    """The recipe as plain values (``Recipe.as_dict()``); its ``name`` is the report's title."""
    fingerprint: str
    """Identity of the recipe and its data."""
    systems: Mapping[str, Measured]
    """Measures by system: ``zero_shot``, ``student``, ``english_ceiling``, or any other name."""
    intervals: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    """Interval of the mean, by system and measure (``AP``, ``RR@10``, ...)."""
    p_values: Mapping[str, float] = field(default_factory=dict)
    """P-value of each system's AP against ``zero_shot``."""
    training: Sequence[Mapping[str, float]] = ()
    """Rows of training metrics: ``step`` with any of ``loss``, ``marginal_error``, ``dev_mrr``, ``dev_agreement``."""
    plans: Sequence[PlanPicture] = ()
    """Transport plans of up to three sentence pairs."""
    data: DataFacts | None = None
    """Where the sentence pairs came from."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall-clock seconds of each verb."""
    topics: Mapping[str, TopicText] = field(default_factory=dict)
    """Texts of the judged topics."""
