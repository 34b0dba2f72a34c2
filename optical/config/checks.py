"""How a section of a recipe checks itself."""

from optical.errors import UserError


def require(holds: bool, where: str, what: str, advice: str) -> None:
    """Refuse a value: where it stands, what is wrong with it, what to set instead.

    Raises:
        UserError: it does not hold.
    """
    if not holds:
        raise UserError(where, what, advice)


def require_seed(where: str, seed: int) -> None:
    """Refuse a seed that a generator of random numbers would refuse later on.

    Raises:
        UserError: it is negative, or has more than 63 bits.
    """
    require(0 <= seed < 1 << 63, where, f"is {seed}", "set 0 or a positive number below 2^63")
