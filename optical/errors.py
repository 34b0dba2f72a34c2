"""Typed errors: every error for a user states the place, the reason and the next step.

The class alone determines the exit code of the command line.
"""

import difflib
from collections.abc import Callable, Iterable


class OpticalError(Exception):
    """A failure with a place, a reason and a next step.

    Args:
        where: the path, field or object the failure is about.
        what: the rule that was broken and the value that broke it.
        advice: what the user can do next.
    """

    exit_code = 1

    def __init__(self, where: object, what: str, advice: str) -> None:
        super().__init__(str(where), what, advice)
        # Ray appends text to ``args`` when it transfers an error from a worker; ``parts`` stays unchanged.
        self.parts = (str(where), what, advice)

    @property
    def where(self) -> str:
        """The path, field or object the failure is about."""
        return self.parts[0]

    def __str__(self) -> str:
        where, what, advice = self.parts
        return f"{where}: {what}; {advice}"

    def __reduce__(self) -> tuple[type["OpticalError"], tuple[str, str, str]]:
        return type(self), self.parts


class UserError(OpticalError):
    """The command line, the recipe or the environment asks for something impossible."""

    exit_code = 2


class DataError(OpticalError):
    """An input or artefact is missing or damaged, or differs from its manifest."""

    exit_code = 3


class NumericalError(OpticalError):
    """A loss, gradient or transport plan is not finite or did not converge."""

    exit_code = 4


class NotFiniteError(UserError, NumericalError):
    """An argument holds NaN or infinity: a mistake of the caller, or the output of a diverged encoder."""

    exit_code = 4


class InfrastructureError(OpticalError):
    """A machine, worker, disk or service failed more often than the retry budget allows."""

    exit_code = 5


def require(holds: bool, where: str, what: str, advice: str) -> None:
    """Check a condition on a value; the other arguments are those of ``OpticalError``.

    Raises:
        UserError: the condition does not hold.
    """
    if not holds:
        raise UserError(where, what, advice)


def require_seed(where: str, seed: int) -> None:
    """Refuse a seed that the random number generators do not accept.

    Raises:
        UserError: it is negative, or has more than 63 bits.
    """
    require(0 <= seed < 1 << 63, where, f"is {seed}", "set 0 or a positive number below 2^63")


def suggest(
    word: str,
    known: Iterable[str],
    otherwise: str,
    most: int = 1,
    likeness: float = 0.6,
    shown: Callable[[str], str] = str,
) -> str:
    """Advice for a mistyped name: the known names nearest to it, or ``otherwise`` when none is near.

    >>> suggest("trian", ["train", "index"], "see --help")
    'did you mean train?'

    Args:
        word: the name as it was typed.
        known: the names that exist.
        otherwise: the advice when no known name is near.
        most: most names to suggest.
        likeness: least likeness of a suggested name, 0 to 1 (see ``difflib.get_close_matches``).
        shown: how the advice writes a known name.
    """
    near = dict.fromkeys(map(shown, difflib.get_close_matches(word, list(known), n=most, cutoff=likeness)))
    return f"did you mean {', '.join(near)}?" if near else otherwise
