"""Errors: the class decides the exit code, the message has a place, a reason and a next step."""

import pickle
from pathlib import Path

import pytest

from optical.errors import DataError, InfrastructureError, NumericalError, OpticalError, UserError

KINDS = {OpticalError: 1, UserError: 2, DataError: 3, NumericalError: 4, InfrastructureError: 5}


@pytest.mark.parametrize(("kind", "code"), KINDS.items())
def test_each_kind_has_its_exit_code(kind, code):
    assert kind("here", "it broke", "mend it").exit_code == code
    assert issubclass(kind, OpticalError)


def test_the_message_is_where_what_advice():
    error = DataError(Path("eng-swa/0003.gz"), "12 source lines, 11 target lines", "rebuild the shard")
    assert str(error) == "eng-swa/0003.gz: 12 source lines, 11 target lines; rebuild the shard"
    assert error.where == "eng-swa/0003.gz"


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_travels_between_processes(kind):
    error = kind(Path("a/b"), "what", "advice")
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert back.args == ("a/b", "what", "advice")
    assert str(back) == str(error)
