"""What a report is made of: the caller fills these records, the report only shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from optical.evaluation.measures import Measured
from optical.evaluation.significance import Interval
from optical.report.plans import PlanPicture


@dataclass(frozen=True)
class DatasetFact:
    """One data set of the run: its name, licence, and what it gave."""

    name: str
    licence: str
    use: str = "bitext"
    """What the run used it for, e.g. ``bitext`` or ``evaluation``."""
    size: str = ""
    """How much of it there is, in words, e.g. ``30,782 pairs``."""
    language: str = ""
    """The language of its queries or source side, with its resource tier."""


@dataclass(frozen=True)
class DataFacts:
    """Counts of the sentence pairs: ``accepted`` plus all ``rejects`` are the physical pairs."""

    accepted: int
    rejects: Mapping[str, int] = field(default_factory=dict)
    """Rejected pairs by reason."""
    meanings: Mapping[str, str] = field(default_factory=dict)
    """What each reason means."""
    datasets: Sequence[DatasetFact] = ()
    """The data sets used, with licence."""
    notes: Sequence[str] = ()
    """What else became of the pairs: held out, cut, compared with test collections."""


@dataclass(frozen=True)
class CollectionFacts:
    """The test collection in numbers."""

    name: str
    language: str
    """The language of its topics, with its resource tier."""
    passages: int
    topics: int
    judgements: int
    relevant: int
    """Judgements with a relevance above 0."""


@dataclass(frozen=True)
class Work:
    """What one verb did on one machine, over all sessions of the run."""

    verb: str
    seconds: float
    finished: str
    """Date and time in UTC."""
    machine: str
    """Cores, memory, GPUs, system; and the workers."""
    versions: str
    """Python, the libraries, and the commit of this code where it is a checkout."""


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
    registered: Mapping[str, object] | None = None
    """The recipe registered under that name, likewise; None when there is none."""
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
    """Transport plans of a few sentence pairs."""
    problem: str = ""
    """The transport problem that was trained, and that the plans solve, in words."""
    collection: CollectionFacts | None = None
    """What was searched."""
    data: DataFacts | None = None
    """Where the sentence pairs came from."""
    work: Sequence[Work] = ()
    """When, where, with what and for how long each verb worked."""
    command: str = ""
    """The command line that repeats the run; empty where none can."""
    topics: Mapping[str, TopicText] = field(default_factory=dict)
    """Texts of the judged topics."""
