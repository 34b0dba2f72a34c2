"""Baselines that a student must beat: the specs that name them, and their names and meanings in tables."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, cast, get_args

from optical.data.lexicon.limits import LEAST_PROBABILITY, MOST_WORDS
from optical.errors import UserError, require, suggest

FIELD = "evaluation.baselines"
LEXICON = "lexicon"
Words = Literal["query", "english", "lexicon"]
"""What BM25 reads: the query, its English by a person, or its English by the lexicon."""
_READ = {
    "query": "the words of the query as it is",
    "english": "the query's English by a person",
    LEXICON: "the query's English by a lexicon (see translate:lexicon)",
}
_LOOKED_UP = (
    f"each word of the query becomes its most probable English word, and others of probability {LEAST_PROBABILITY} or "
    f"more ({MOST_WORDS} at most), by IBM Model 1 over the run's own clean sentence pairs; words that these lack stay"
)
_WEIGHTS = re.compile(
    r"(?P<weights>.*?)(?:@(?P<revision>[0-9a-fA-F]{40}))?(?::(?P<source>[A-Za-z_]+)-(?P<target>[A-Za-z_]+))?"
)
_ADVICE = (
    "write bm25:query, bm25:english, bm25:lexicon, translate:lexicon, translate:<weights>, "
    "translate:<weights>:<source code>-<target code>, or fusion:<system>+<system>"
)


@dataclass(frozen=True)
class Bm25:
    """BM25 over the words of the passages (Robertson and Zaragoza 2009), whose tokens nothing embeds."""

    reads: Words

    k1: ClassVar[float] = 0.9
    b: ClassVar[float] = 0.4

    @property
    def name(self) -> str:
        """Its name in tables."""
        return f"bm25:{self.reads}"

    @property
    def meaning(self) -> str:
        """Its definition in a report, without a full stop."""
        how = f"BM25 (k1 {self.k1}, b {self.b}; words in lower case, none stemmed or left out) over the passages"
        return f"{how}, which reads {_READ[self.reads]}"


@dataclass(frozen=True)
class Translator:
    """A pretrained sequence-to-sequence model that translates queries into English."""

    weights: str
    """A folder or a hub id."""
    revision: str | None = None
    """Commit of a hub id."""
    codes: tuple[str, str] | None = None
    """Codes of the query's language and of English, where one model translates many languages."""

    num_beams: ClassVar[int] = 4
    """Beams of the search, which draws nothing at random."""

    @property
    def name(self) -> str:
        """Its name in tables: a folder without its path, a commit by its first digits."""
        name = Path(self.weights).name or self.weights
        name = f"{self.weights}@{self.revision[:7]}" if self.revision else name
        return f"{name}:{'-'.join(self.codes)}" if self.codes else name


@dataclass(frozen=True)
class Translation:
    """The English teacher reads a translation of the query, and searches the same index as the student."""

    by: Translator | None
    """None: by the lexicon."""

    @property
    def name(self) -> str:
        """Its name in tables."""
        return f"translate:{self.by.name if self.by else LEXICON}"

    @property
    def meaning(self) -> str:
        """Its definition in a report, without a full stop."""
        how = f"{self.by.name} translates the query by {Translator.num_beams} beams" if self.by else _LOOKED_UP
        return f"the teacher reads a translation, and searches the student's index: {how}"


@dataclass(frozen=True)
class Fusion:
    """Two runs as one by the ranks of their documents."""

    systems: tuple[str, str]
    """Their names; neither is a fusion."""

    k: ClassVar[int] = 60

    @property
    def name(self) -> str:
        """Its name in tables."""
        return f"fusion:{'+'.join(self.systems)}"

    @property
    def meaning(self) -> str:
        """Its definition in a report, without a full stop."""
        one, other = self.systems
        return (
            f"reciprocal rank fusion of {one} and {other}: a document's score is the sum of 1 / ({self.k} + its rank)"
        )


Baseline = Bm25 | Translation | Fusion


def parse_baseline(spec: str, systems: Sequence[str]) -> Baseline:
    """The baseline that a spec means.

    >>> parse_baseline("translate:nllb:swh_Latn-eng_Latn", ()).by.codes
    ('swh_Latn', 'eng_Latn')
    >>> parse_baseline("fusion:student+bm25:lexicon", ["student", "bm25:lexicon"]).systems
    ('student', 'bm25:lexicon')

    Args:
        spec: ``bm25:`` with ``query``, ``english`` or ``lexicon``; ``translate:`` with ``lexicon``, or with a folder or
            a hub id and its ``@`` commit, and ``:source-target`` codes where the model needs them; ``fusion:`` with the
            names of two systems and ``+``.
        systems: names of the systems that a fusion may have, no fusions.

    Raises:
        UserError: the spec names no baseline, or systems that are not there.
    """
    kind, _, rest = spec.partition(":")
    if kind == "bm25" and rest in get_args(Words):
        return Bm25(cast(Words, rest))
    if kind == "translate" and rest.strip():
        return Translation(None if rest == LEXICON else _translator(rest))
    if kind == "fusion" and rest.strip():
        return Fusion(_fused(spec, rest, systems))
    raise UserError(FIELD, f"has {spec!r}, which is no baseline", _ADVICE)


def is_fusion(spec: str) -> bool:
    """Whether a spec is one of a fusion, whose systems are to be known before it is parsed."""
    return spec.startswith("fusion:")


def _translator(rest: str) -> Translator:
    if (found := _WEIGHTS.fullmatch(rest)) is None:
        raise UserError(FIELD, f"has {rest!r}, which names no weights", _ADVICE)
    codes = (found["source"], found["target"]) if found["source"] else None
    return Translator(found["weights"], found["revision"], codes)


def _fused(spec: str, rest: str, systems: Sequence[str]) -> tuple[str, str]:
    """The names of two systems around one of the ``+``, for a name may have one too."""
    cuts = [(rest[: found.start()], rest[found.end() :]) for found in re.finditer(r"\+", rest)]
    require(bool(cuts), FIELD, f"has {spec!r}, which fuses one system with nothing", _ADVICE)
    fitting = [cut for cut in cuts if cut[0] in systems and cut[1] in systems]
    if not fitting:
        missing = next((name for name in cuts[0] if name not in systems), rest)
        what = f"has {spec!r}, and {missing!r} is no system of this run that a fusion may have"
        raise UserError(FIELD, what, suggest(missing, systems, f"fuse two of: {', '.join(systems)}"))
    require(len(fitting) == 1, FIELD, f"has {spec!r}, which can be cut in two ways", "rename a folder that has a +")
    one, other = fitting[0]
    require(one != other, FIELD, f"has {spec!r}, which fuses a system with itself", "name two systems")
    return one, other
