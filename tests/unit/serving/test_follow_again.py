"""What an agent does while what it follows cannot be read: it tries again ever later, and lives."""

from __future__ import annotations

import math
from unittest.mock import Mock

import pytest
from alertmanager import free_port
from emit_rig import wait_for

from driftline.agents.audit.errors import AuditError
from driftline.agents.serving import follow
from driftline.agents.serving.follow import Follower
from driftline.schemas.settings import Kafka

ATTEMPTS = 7


BROKEN = AuditError("record 5 does not follow")


def pauses_of(
    monkeypatch: pytest.MonkeyPatch, well_s: float = math.inf, error: Exception = BROKEN
) -> list[float]:
    """The pauses, s, between the attempts of an agent whose audit is broken, and that read all of it at a time."""
    follower, pauses = Follower(Kafka(), Mock(), "test-0"), list[float]()
    for name in ("_beat", "_speak"):
        monkeypatch.setattr(follower, name, Mock())
    monkeypatch.setattr(follow, "Producer", Mock())

    def broken(_producer: object) -> None:
        follower._well_s = well_s
        raise error

    monkeypatch.setattr(follower, "_follow", broken)
    monkeypatch.setattr(follower, "_pause", lambda _, pause_s: pauses.append(pause_s))
    monkeypatch.setattr(follower._stop, "is_set", lambda: len(pauses) == ATTEMPTS)
    follower._run()
    return pauses


def test_an_audit_that_is_broken_is_read_again_ever_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each attempt reads it from its first record: pauses double up to a minute, and an agent has time to serve."""
    assert pauses_of(monkeypatch) == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_what_was_followed_well_is_read_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """After hours without a fault the next one is told, and is the first one again."""
    assert pauses_of(monkeypatch, well_s=-math.inf) == [2.0] * ATTEMPTS


def test_an_agent_that_waits_to_read_again_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so as often as ever, and one beat that fails ends nothing: what was commanded here is told."""
    beats = list[None]()
    monkeypatch.setattr(follow, "HEARTBEAT_S", 0.01)

    def beat() -> None:
        beats.append(None)
        raise OSError("no descriptor is left")

    follower = Follower(Kafka(), Mock(heartbeat=beat, untold=list), "test-0")
    follower._pause(Mock(), 0.3)
    assert 3 <= len(beats) <= 32


def test_a_beat_that_fails_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a local command that was told and cannot be put aside: what waits is told all the same, as it ends."""
    station = Mock(
        **{"heartbeat.side_effect": OSError("no descriptor"), "told.side_effect": OSError("disk full")}
    )
    follower, producer = Follower(Kafka(), station, "test-0"), Mock()
    monkeypatch.setattr(follow, "Producer", lambda _: producer)
    monkeypatch.setattr(follower, "_follow", lambda _: follower._stop.set())
    follower.say("acks", "churn", b"ack")
    follower.say("deployment-control", "", b"halt")
    follower._run()
    for call in producer.produce.call_args_list:
        call.kwargs["on_delivery"](None, None)
    assert [call.args[1] for call in producer.produce.call_args_list] == [b"ack", b"halt"]
    assert producer.flush.call_count == station.told.call_count == 1


def test_a_record_that_is_not_taken_costs_no_other_one() -> None:
    """Whatever Kafka's client raises: what waits behind is told, and a command given here with the next beat."""
    station, producer = Mock(**{"untold.return_value": [b"halt"], "heartbeat.return_value": None}), Mock()
    follower = Follower(Kafka(), station, "test-0")
    for wrong in (BufferError("full"), MemoryError()):
        follower._beat()
        follower.say("acks", "churn", b"ack")
        producer.produce.side_effect = [wrong, None]
        producer.poll.side_effect = wrong
        producer.produce.reset_mock()
        follower._speak(producer)
        assert [call.args[1] for call in producer.produce.call_args_list] == [b"halt", b"ack"]


def test_what_fails_as_nobody_foresaw_is_told_once_and_tried_ever_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With where it was, so that it can be mended; an agent that waits goes on telling that it lives."""
    assert pauses_of(monkeypatch, error=ZeroDivisionError("by zero")) == [
        2.0,
        4.0,
        8.0,
        16.0,
        32.0,
        60.0,
        60.0,
    ]
    assert caplog.text.count("serving goes on: ZeroDivisionError: by zero") == 1
    assert caplog.text.count("Traceback") == 1


def test_an_agent_without_kafka_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing that it follows fails: a broker that does not answer is tried again, and its log says which."""
    follower = Follower(Kafka(bootstrap=f"127.0.0.1:{free_port()}"), Mock(), "test-0")
    for name in ("_beat", "_speak"):
        monkeypatch.setattr(follower, name, Mock())
    follower.start()
    try:
        wait_for(lambda: "is out of reach, and is tried again" in caplog.text, "its log says nothing")
    finally:
        follower.stop(30)
