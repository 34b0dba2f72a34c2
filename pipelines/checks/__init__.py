"""Checks: what would stop a run, found before it begins.

A check is a function that yields findings; those of ``machine.CHECKS`` are given the settings, those of
``recipe.CHECKS`` the recipe and the settings.
A check may also raise the very error that the run would meet, which is a finding like any other.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from optical.errors import OpticalError


@dataclass(frozen=True)
class Finding:
    """One thing looked at: whether it is fine, and what was seen."""

    what: str
    fine: bool
    seen: str


def findings(check: Callable[..., Iterator[Finding]], *given: object) -> Iterator[Finding]:
    """What a check finds; an error of ours that it raises is a finding under the check's own name."""
    try:
        yield from check(*given)
    except OpticalError as error:
        yield Finding(check.__name__.replace("_", " "), False, str(error))
