"""One installation for all tests of this folder that change what serves; it is described in tests/support/town.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from real_stack import TestStack
from town import Town


@pytest.fixture(scope="session")
def founded(stack: TestStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A controller and two agents that serve version 1, and know 2 and 3; none is left behind."""
    made = Town(stack.lane("town"), tmp_path_factory.mktemp("town"))
    try:
        made.opens("1", "2", "3")
        yield made
    finally:
        made.close()


@pytest.fixture
def town(stack: TestStack, founded: Town) -> Town:
    """The installation, whole again whatever a test before did to it."""
    stack.mend()
    founded.ready()
    return founded
