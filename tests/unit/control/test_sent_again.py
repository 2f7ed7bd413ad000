"""What people and agents signed, sent again by somebody else: commands by a skewed clock, acks and heartbeats."""

from __future__ import annotations

import pytest
from clerked import Room
from controlled import INSTANCES, package
from office import Office, code
from signed import signed

from driftline.schemas.control.ack import Ack, Heartbeat
from driftline.schemas.control.envelope import Envelope

DAY_MS = 86_400_000


def test_a_clock_that_ran_ahead_lets_no_command_in_again() -> None:
    """A controller whose clock is a day ahead decides rubbish and what lapses; its successor knows what was seen."""
    office = Office("low")
    office.created()
    value = signed(office.build("halt-serving"), "ann").to_bytes()
    assert office.send(value)[0].event == "decided"
    office.does("resume", "ann", target="serving")
    office.send(b"rubbish", late_ms=DAY_MS)
    office.send(signed(office.build("halt-rollout"), "ann").to_bytes(), late_ms=DAY_MS)
    office.desk.lapse(office.now_ms + DAY_MS)
    assert code(office.send(value)[0]) == "replayed"
    assert office.state.halt is None


def test_seen_commands_are_forgotten_as_time_goes_on() -> None:
    """Once commands of a later hour were decided, those that could be admitted no more take no memory."""
    office = Office("low")
    office.created()
    before = len(office.desk.seen)
    assert before > 0
    office.now_ms += DAY_MS
    office.does("halt-serving", "ann")
    assert len(office.desk.seen) == 1


def test_an_ack_of_before_counts_no_more() -> None:
    """A failure that an instance has come over is not told again, though its signature holds."""
    room = Room()
    room.registered("1")
    room.beat()
    room.turn()
    room.ask("create", "ann", model=package("1").model)
    name = INSTANCES[0]
    room.ack(name, "prepared", at_ms=room.now_ms + 2)
    told = [one.event for one in room.turn()]
    assert told == ["acked"]
    room.ack(name, "failed", at_ms=room.now_ms + 1, reason="torn")
    assert room.turn() == []
    assert room.state is not None
    assert room.state.phase == "prepare"
    assert Ack.from_bytes(Envelope.from_bytes(room.acks[-1].value).body).outcome == "failed"
    room.ack(name, "failed", at_ms=room.now_ms + 3, reason="torn")
    assert "acked" in [one.event for one in room.turn()]


@pytest.mark.parametrize("is_draining", [True, False])
def test_a_heartbeat_of_before_counts_no_more(is_draining: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    """That an earlier life drained, or lived, says nothing of the one that lives now."""
    room, name = Room(), INSTANCES[0]
    room.beat(name)
    room.turn()
    room.now_ms += 5_000
    room.beat(name)
    room.turn()
    old = "01890000-0000-7000-8000-0000000000aa"
    room.beat(name, boot_id=old, is_draining=is_draining, at_ms=room.now_ms - 4_000)
    assert room.turn() == []
    assert Heartbeat.from_bytes(Envelope.from_bytes(room.acks[-1].value).body).boot_id == old
    room.beat(name, boot_id=old, is_draining=True)
    assert room.turn() == []
    room.beat(name, is_draining=True)
    assert [one.event for one in room.turn()] == ["left"]
