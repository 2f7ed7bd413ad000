"""The thread that seals and sends: what it waits for."""

from __future__ import annotations

import time
from typing import Any

import pytest
from emit_fakes import FakeTransport

from driftline.agents.emit.complaints import Complaints
from driftline.agents.emit.courier import Courier
from driftline.agents.emit.door import Door
from driftline.agents.emit.kinds import Kinds
from driftline.agents.emit.options import checked
from driftline.agents.emit.seal import Sealed
from driftline.agents.emit.sender import Sender


class Polled(FakeTransport):
    """Notes how long it was told to wait for answers."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def poll(self, timeout_s: float) -> None:
        """Answer at once."""
        self.waits.append(timeout_s)


@pytest.mark.parametrize("away", [False, True])
def test_while_kafka_is_away_new_events_are_waited_for(away: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """With a batch on its way the sender waits for its answer, but not when none is expected: events would pile up."""
    options = checked("fraud", "1", {})
    door, kafka = Door(options, lambda: True), Polled()
    courier = Courier(options, kafka, None, door.ledgers, door.lock)
    transport: Any = kafka
    sender = Sender(options, door, courier, transport, Kinds(options), ("app", 1), Complaints())
    courier.flights.put(Sealed("predictions", b"fraud", b"x", 0, 1, 0, 0, 0))
    courier.pump(100.0, 0)
    assert courier.flights.flying
    courier.is_away = away
    door.ring()
    sender._rest(time.monotonic(), drained=True)
    assert kafka.waits == ([0.0] if away else [pytest.approx(0.02)])


def test_what_was_dropped_for_want_of_room_is_said_by_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is full at the moment: how many rows the buffer cost, and how many the spool."""
    options = checked("fraud", "1", {})
    door, kafka = Door(options, lambda: True), FakeTransport()
    transport: Any = kafka
    courier = Courier(options, kafka, None, door.ledgers, door.lock)
    sender = Sender(options, door, courier, transport, Kinds(options), ("app", 1), Complaints())
    door.full_reason = "buffer_full"
    door.refuse("predictions", 1_200, "buffer_full")
    door.refuse("labels", 34, "spool_full")
    sender._complain_if_full()
    sender._complain_if_full()
    assert caplog.messages == [
        "1,200 rows were dropped, for the buffer is full: see stats().dropped",
        "34 rows were dropped, for the spool is full: see stats().dropped",
    ]
