"""Shared by the tests of objectives."""

from collections.abc import Iterator

import pytest
from jaxtyping import config


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Types are not checked, as where a user runs the code: what a constructor refuses is refused by its own rules."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)
