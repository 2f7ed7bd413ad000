"""A topic that is followed while its broker is away."""

from __future__ import annotations

import threading

from driftline.schemas.settings import Kafka, Settings
from driftline.streams.processors.tail import TopicTail


def test_a_broker_that_is_away_is_waited_for_as_long_as_was_said() -> None:
    """Whether the look-up is fresh is answered with no once the time is over, not when the broker comes."""
    tail = TopicTail(Settings(kafka=Kafka(bootstrap="127.0.0.1:1")), "deployment-state", lambda *_: None)
    answers: list[bool] = []
    asking = threading.Thread(target=lambda: answers.append(tail.caught_up(0.5)), daemon=True)
    asking.start()
    asking.join(60)
    assert answers == [False]
