"""P6 on the real Kafka: wherever a controller is killed, there is no gap and no double, and one state."""

from __future__ import annotations

import random

import pytest
from controlled import Hall
from controller_faults import killed


@pytest.mark.timeout(300)
def test_a_controller_that_is_killed_leaves_no_gap_and_no_double(hall: Hall, seed: int) -> None:
    """Six kills: every command is told once and in order; what is published is the audit replayed."""
    killed(hall, random.Random(seed), 6)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_thirty_kills_leave_no_gap_and_no_double(hall: Hall, seed: int) -> None:
    """Thirty kills: the same."""
    killed(hall, random.Random(seed), 30)
