"""Agents that believe what two offices published."""

from __future__ import annotations

import pytest
from doubting import Agent
from office import Office


@pytest.fixture
def high() -> Agent:
    """Return an agent of a deployment of high tier, whose second version is champion and whose third is validated."""
    office = Office("high")
    office.promoted()
    office.registered("3")
    return Agent(office)


@pytest.fixture
def rolling() -> Agent:
    """Return an agent of a deployment whose second version is a canary on its first step."""
    office = Office("high")
    office.canary()
    return Agent(office)
