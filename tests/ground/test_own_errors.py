"""Ray wraps what a worker raised in its own errors; ours comes back out of any of them."""

import pytest

from optical.cluster import raising_own_errors
from optical.errors import DataError, NumericalError

OURS = DataError("eng-swa/0003.gz", "is truncated", "fetch it again")


class Wrapped(Exception):
    """Like Ray's task error: the original hides in an attribute."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__("wrapped, with a long remote traceback")
        self.cause = cause


def chained(error: BaseException) -> Exception:
    outer = RuntimeError("outer")
    outer.__cause__ = error
    return outer


def during(error: BaseException) -> Exception:
    outer = RuntimeError("outer")
    outer.__context__ = error
    return outer


@pytest.mark.parametrize("wrap", [Wrapped, chained, during, lambda error: Wrapped(chained(during(error)))])
def test_our_error_comes_out_of_any_wrapping(wrap):
    with pytest.raises(DataError) as caught, raising_own_errors():
        raise wrap(OURS)
    assert type(caught.value) is DataError
    assert str(caught.value) == "eng-swa/0003.gz: is truncated; fetch it again"


def test_our_error_passes_as_it_is():
    error = NumericalError("step 3", "loss is nan", "lower the rate")
    with pytest.raises(NumericalError) as caught, raising_own_errors():
        raise error
    assert caught.value is error


def test_a_foreign_error_stays_itself():
    with pytest.raises(KeyError), raising_own_errors():
        raise KeyError("x")


def test_a_ring_of_causes_ends():
    first, second = RuntimeError("first"), RuntimeError("second")
    first.__cause__, second.__cause__ = second, first
    with pytest.raises(RuntimeError, match="first"), raising_own_errors():
        raise first
