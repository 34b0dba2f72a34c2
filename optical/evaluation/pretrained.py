"""Pretrained encoders to compare with: the specs that name them, and their names in tables and files."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from optical.errors import require

DENSE, LATE = "dense", "late"
FIELD = "evaluation.pretrained"
_MEANINGS = {
    DENSE: "one vector for each text, pooled as its folder says, and their cosine",
    LATE: "one vector for each token, and MaxSim",
}
_REVISION = re.compile(r"@([0-9a-fA-F]{40})$")
_LONGEST_FILE_NAME = 100


@dataclass(frozen=True)
class Pretrained:
    """An encoder that searches the collection as it is, with embeddings of its own."""

    pooled: bool
    """One vector for each text instead of one for each token."""
    weights: str
    """A registered model, a folder, or a hub id."""
    revision: str | None = None
    """Commit of a hub id."""

    @property
    def kind(self) -> str:
        """``dense`` or ``late``."""
        return DENSE if self.pooled else LATE

    @property
    def spec(self) -> str:
        """The spec that means it."""
        return f"{self.kind}:{self.weights}" + (f"@{self.revision}" if self.revision else "")

    @property
    def name(self) -> str:
        """Its name in tables: a folder without its path, a commit by its first digits.

        >>> parse_pretrained("late:/home/me/e5/").name
        'late:e5'
        """
        if self.revision:
            return f"{self.kind}:{self.weights}@{self.revision[:7]}"
        return f"{self.kind}:{Path(self.weights).name or self.weights}"

    @property
    def meaning(self) -> str:
        """Its definition in a report, without a full stop."""
        return (
            f"the pretrained encoder {self.name.partition(':')[2]} as it is: it reads the query, and searches its own "
            f"embeddings of the passages exactly, with {_MEANINGS[self.kind]}"
        )


def parse_pretrained(spec: str) -> Pretrained:
    """The encoder that a spec means.

    >>> parse_pretrained("dense:all-minilm-l6-v2")
    Pretrained(pooled=True, weights='all-minilm-l6-v2', revision=None)

    Args:
        spec: ``dense:`` or ``late:``, then a registered model, a folder, or a hub id with ``@`` and its commit.

    Raises:
        UserError: the spec names no kind of encoder, or no weights.
    """
    kind, _, rest = spec.partition(":")
    fine = kind in _MEANINGS and bool(rest.strip())
    advice = "write dense:<weights> (one vector for each text) or late:<weights> (one for each token)"
    require(fine, FIELD, f"has {spec!r}, which is no kind of encoder with weights", advice)
    if found := _REVISION.search(rest):
        return Pretrained(kind == DENSE, rest[: found.start()], found[1])
    return Pretrained(kind == DENSE, rest)


def file_name(system: str) -> str:
    """The name of a system as a part of file names and of MLflow's names.

    >>> file_name("dense:owner/model@0123abc"), file_name("zero_shot")
    ('dense-owner-model-0123abc', 'zero_shot')
    """
    return re.sub(r"[^\w.-]+", "-", system)[:_LONGEST_FILE_NAME]


def distinct_names(wanted: Sequence[str], taken: Iterable[str]) -> list[str]:
    """The names, numbered where two would have one file: folders of one name are told apart by their order.

    >>> distinct_names(["late:export", "late:export"], ["student"])
    ['late:export', 'late:export-2']
    """
    files = {file_name(name).casefold() for name in taken}
    found = []
    for name in wanted:
        number, free = 1, name
        while file_name(free).casefold() in files:
            number += 1
            free = f"{name[: _LONGEST_FILE_NAME - 5]}-{number}"
        files.add(file_name(free).casefold())
        found.append(free)
    return found
