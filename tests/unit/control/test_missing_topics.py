"""Topics of the controller that are not there, or that it may not read: it says so, and waits for nobody in silence."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from confluent_kafka import KafkaError, KafkaException

from driftline.agents.control.controller import feed, seat
from driftline.agents.control.controller.errors import ControllerError
from driftline.agents.control.controller.feed import Feed
from driftline.agents.control.controller.seat import Seat
from driftline.agents.control.controller.unread import SAY_S
from driftline.schemas.settings import Kafka


def failed(code: int) -> Mock:
    """Return an error in place of a message."""
    return Mock(**{"error.return_value": KafkaError(code)})


def seated(monkeypatch: pytest.MonkeyPatch, code: int) -> Seat:
    """Return a place in a group whose client tells of an error."""
    consumer = Mock(**{"poll.return_value": failed(code)})
    monkeypatch.setattr(seat, "Consumer", Mock(return_value=consumer))
    return Seat(Kafka(), 6_000)


def test_a_controller_without_a_topic_of_commands_ends_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody is ever given a partition of it; where it is there after all, the client was too early."""
    broker = Mock(**{"topic_id.side_effect": ControllerError("has no topic 'deployment-control'")})
    monkeypatch.setattr(seat, "Broker", Mock(return_value=broker))
    place = seated(monkeypatch, KafkaError.UNKNOWN_TOPIC_OR_PART)
    with pytest.raises(ControllerError, match="has no topic"):
        place.look(0)
    broker.topic_id.side_effect = None
    assert not place.look(0)


@pytest.mark.parametrize(
    "code", [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED]
)
def test_a_controller_without_a_right_says_so(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """It is on standby, and tries again: a right may be given meanwhile."""
    with pytest.raises(KafkaException, match="authorization failed"):
        seated(monkeypatch, code).look(0)


def test_what_passes_by_itself_ends_no_membership(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client joins again by itself."""
    assert not seated(monkeypatch, KafkaError.COORDINATOR_NOT_AVAILABLE).look(0)


def test_acks_that_may_not_be_read_are_told_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Else every change would be cancelled for silent agents, and nothing say why; a halt needs none of them."""
    no, now_s = failed(KafkaError.TOPIC_AUTHORIZATION_FAILED), [0.0]
    consumer = Mock(**{"consume.return_value": [no, no]})
    monkeypatch.setattr(feed, "Consumer", Mock(return_value=consumer))
    acks = Feed(Kafka(), "acks", 0, lambda: now_s[0])
    for now_s[0] in (0.0, 1.0, SAY_S):
        assert acks.take(500, 0) == []
    assert caplog.text.count("topic acks cannot be read, and what rests on it waits") == 2
