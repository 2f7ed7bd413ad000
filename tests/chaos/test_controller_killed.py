"""P6 on the real Kafka: wherever a controller is killed, there is no gap and no double, and one state."""

from __future__ import annotations

import random
import time

import pytest
from controlled import Hall
from controller_faults import all_decided, asked, killed
from real_stack import TestStack


def test_a_controller_that_is_killed_leaves_no_gap_and_no_double(hall: Hall, seed: int) -> None:
    """Six kills: every command is told once and in order; what is published is the audit replayed."""
    killed(hall, random.Random(seed), 6)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_thirty_kills_leave_no_gap_and_no_double(hall: Hall, seed: int) -> None:
    """Thirty kills: the same."""
    killed(hall, random.Random(seed), 30)


def test_a_controller_outlives_its_broker(stack: TestStack, hall: Hall, seed: int) -> None:
    """A broker that is killed twice under a controller, and comes back, costs no command and no restart of it."""
    rng = random.Random(seed)
    asking, controller = asked(hall, rng), hall.start()
    for _ in range(2):
        for _ in range(10):
            next(asking)
        all_decided(hall)
        stack.kafka.kill()
        time.sleep(rng.uniform(0, 4))
        stack.kafka.start()
    all_decided(hall)
    assert controller.poll() is None, hall.log()
    hall.agree()
