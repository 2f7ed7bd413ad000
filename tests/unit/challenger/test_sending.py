"""Batches of a challenger whose broker is away, or refuses them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError

from driftline.agents.challenger import sending
from driftline.agents.challenger.sending import ChallengerError, Sending
from driftline.schemas.settings import Kafka

TIMED_OUT = -192
"""librdkafka's `_MSG_TIMED_OUT`."""


class Broker:
    """A producer whose broker answers each round of batches as it is told; without a word for it, with silence."""

    def __init__(self, *answers: int | None) -> None:
        self.answers, self.sent, self.waiting = list(answers), list[bytes](), list[Callable[..., None]]()
        self.purged = 0

    def produce(
        self, _topic: str, data: bytes, _key: bytes, _place: int, *, on_delivery: Callable[..., None]
    ) -> None:
        """Take a batch."""
        self.sent.append(data)
        self.waiting.append(on_delivery)

    def flush(self, _seconds: float) -> int:
        """Answer all that wait."""
        if self.waiting and self.answers:
            code, told = self.answers.pop(0), self.waiting
            self.waiting = []
            for one in told:
                one(None if code is None else KafkaError(code), None)
        return len(self.waiting)

    def purge(self) -> None:
        """Let go of what waits."""
        self.purged += 1


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Callable[[Broker], Sending]:
    """Return what makes a sending to a broker."""
    monkeypatch.setattr(sending, "_AGAIN_S", 0.0)

    def begin(broker: Broker) -> Sending:
        monkeypatch.setattr(sending, "Producer", lambda _: broker)
        return Sending(Kafka(), "predictions", "churn", {})

    return begin


def test_what_was_not_acknowledged_is_sent_again(
    begun: Callable[[Broker], Sending], caplog: pytest.LogCaptureFixture
) -> None:
    """As often as the broker is away; what it has is not sent again, and each round is said."""
    broker = Broker(TIMED_OUT, TIMED_OUT, None, None)
    made, stopping = begun(broker), threading.Event()
    for data in (b"one", b"two"):
        made.put(data, 3)
    assert made.settle(stopping)
    assert broker.sent == [b"one", b"two"] * 3
    assert sum("and is sent again" in one for one in caplog.messages) == 2
    made.put(b"three", 3)
    assert made.settle(stopping)
    assert broker.sent[6:] == [b"three"]


def test_a_stop_does_not_wait_for_a_broker_that_is_away(begun: Callable[[Broker], Sending]) -> None:
    """Nothing counts as acknowledged then, and nothing is kept for a next time."""
    broker, stopping = Broker(), threading.Event()
    made = begun(broker)
    made.put(b"one", 3)
    stopping.set()
    assert not made.settle(stopping)
    assert (broker.purged, broker.sent) == (1, [b"one"])
    broker.waiting.clear()
    assert made.settle(threading.Event())
    assert broker.sent == [b"one"]


@pytest.mark.parametrize("code", [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.MSG_SIZE_TOO_LARGE])
def test_what_the_broker_refuses_ends_it(begun: Callable[[Broker], Sending], code: int) -> None:
    """No waiting mends that, and the sentence says why."""
    made: Any = begun(Broker(code))
    made.put(b"one", 3)
    with pytest.raises(
        ChallengerError, match=r"what was scored of 'churn' is not acknowledged \(.+\): start again"
    ):
        made.settle(threading.Event())
