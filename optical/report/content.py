"""The content of a report: the caller fills these records, the report only shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from optical.evaluation.comparison import Gain
from optical.evaluation.measures import Measured
from optical.evaluation.protocols.base import EvaluationConfig
from optical.evaluation.protocols.crosslingual import Config as CrossLingual
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
    """Its size in words, e.g. ``30,782 pairs``."""
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
    """Further facts: pairs held out, cut, compared with test collections."""


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
    """The work of one verb on one machine, over all sessions of the run."""

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
    """Measures by system: those of the protocol, or any other."""
    protocol: EvaluationConfig = CrossLingual()
    """What was compared with what, and how it was tested."""
    intervals: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    """Interval of the mean, by system and measure (``AP``, ``RR@10``, ...)."""
    p_values: Mapping[str, float] = field(default_factory=dict)
    """P-value of each system against the baseline, for the measure that the protocol tests."""
    gains: Mapping[str, Gain] = field(default_factory=dict)
    """What the protocol's subject gains over each other system, in that measure."""
    training: Sequence[Mapping[str, float]] = ()
    """Rows of training metrics: ``step`` with any of ``loss``, ``marginal_error``, ``dev_mrr``, ``dev_spearman``."""
    plans: Sequence[PlanPicture] = ()
    """Transport plans of a few sentence pairs, or their other alignments."""
    problem: str = ""
    """What was minimised, in words; transport plans solve it."""
    collection: CollectionFacts | None = None
    """The collection that was searched."""
    data: DataFacts | None = None
    """The sentence pairs and their data sets."""
    work: Sequence[Work] = ()
    """When, where, with what and for how long each verb worked."""
    command: str = ""
    """The command line that repeats the run; empty where there is none."""
    topics: Mapping[str, TopicText] = field(default_factory=dict)
    """Texts of the judged topics."""

    @property
    def name(self) -> str:
        """The recipe's name."""
        return str(self.recipe.get("name", "run"))

    @property
    def judged(self) -> int:
        """The number of judged topics."""
        return max((len(system.topics) for system in self.systems.values()), default=0)
