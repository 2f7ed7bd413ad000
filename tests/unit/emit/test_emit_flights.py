"""What batches in memory are counted as."""

from __future__ import annotations

from driftline.agents.emit.flights import BATCH_BYTES, Flight, Flights
from driftline.agents.emit.seal import Sealed


def sealed(ordinal: int) -> Sealed:
    """A batch of ten bytes."""
    return Sealed("predictions", b"d", bytes(10), ordinal, 1, 0, 0, ordinal)


def test_a_small_batch_counts_with_its_objects() -> None:
    """Waiting, on its way (twice) and to be sent again, each batch counts as its payload and what surrounds it."""
    flights, one = Flights(), 10 + BATCH_BYTES
    for ordinal in range(3):
        flights.put(sealed(ordinal))
    assert flights.memory_bytes == 3 * one
    flight = Flight(flights.pop())
    token = flights.token()
    flights.depart(token, flight)
    assert (flights.memory_bytes, flights.flying_bytes, flights.idle_bytes) == (4 * one, one, 0)
    assert flights.land(token) is flight
    assert flights.idle_bytes == one
    flights.again(flight)
    assert flights.memory_bytes == 3 * one
    flights.next_again()
    flights.again(flight)
    flights.forget_again(flight)
    assert flights.memory_bytes == 2 * one
