"""Names that settings allow are the names that the code knows."""

from dataclasses import fields
from typing import get_args

import pytest

from optical.ot import cost, loss, marginals, settings


def test_every_name_that_may_be_set_is_implemented_and_the_other_way_round():
    assert set(get_args(settings.Cost)) == set(cost.COSTS)
    assert set(get_args(settings.Marginals)) == set(marginals.MARGINALS)
    forms = {(gradient, value) for gradient in get_args(settings.Gradient) for value in get_args(settings.Value)}
    allowed = {form for form in forms if _allowed(*form)}
    assert allowed == set(loss._LOSSES)


def _allowed(gradient: str, value: str) -> bool:
    try:
        settings.LossSettings(gradient=gradient, value=value)
    except settings.UserError:
        return False
    return True


@pytest.mark.parametrize("name", ["cost", "epsilon_unit"])
def test_a_name_that_the_type_excludes_is_refused_where_types_are_not_checked(name):
    made = object.__new__(settings.LossSettings)
    for field in fields(settings.LossSettings):
        object.__setattr__(made, field.name, field.default)
    object.__setattr__(made, name, "mean")
    with pytest.raises(settings.UserError, match=f"^{name}: is 'mean'; choose from cos"):
        made.__post_init__()
