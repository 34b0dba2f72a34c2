"""Checks: find what would stop a run, before it begins.

A check is a function that yields findings; those of ``machine.CHECKS`` receive the settings, those of
``recipe.CHECKS`` the recipe and the settings. A check may also raise the error that the run would raise; this counts as
a finding.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from optical.errors import OpticalError


@dataclass(frozen=True)
class Finding:
    """The result of one check: its subject, whether it is fine, and a description."""

    what: str
    fine: bool
    seen: str


def findings(check: Callable[..., Iterator[Finding]], *given: object) -> Iterator[Finding]:
    """The findings of a check; an ``OpticalError`` that it raises is a finding under the check's own name."""
    try:
        yield from check(*given)
    except OpticalError as error:
        yield Finding(check.__name__.replace("_", " "), False, str(error))
