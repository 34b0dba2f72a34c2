"""How a section of a recipe checks itself."""

from optical.errors import UserError


def require(holds: bool, where: str, what: str, advice: str) -> None:
    """Refuse a value: where it stands, what is wrong with it, what to set instead.

    Raises:
        UserError: it does not hold.
    """
    if not holds:
        raise UserError(where, what, advice)
