"""Batches in memory: those never sent, those on their way, those to be sent again; counted in bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from driftline.agents.emit.backlog import Segment
from driftline.agents.emit.ledger import Place
from driftline.agents.emit.seal import Sealed
from driftline.agents.emit.shelf import Shelf
from driftline.agents.emit.spool import Adopted

# Batches past these bytes are a backlog: they wait on a shelf, so that what was delivered leaves memory at once.
LOOSE_BYTES: Final = 1 << 20
BATCH_BYTES: Final = 1 << 10
"""Memory of a batch beside its payload: objects here, or those of Kafka's client."""


@dataclass(slots=True, eq=False)
class Flight:
    """A batch that is or was handed to Kafka.

    `segment` holds its record on disk, None when it is in memory alone; `copied` says that the cursor has not met that
    record yet; `forsaken` that its segment had to go for newer ones, so that it is not written again; `adopted` is the
    spool of an ended life it came from.
    """

    sealed: Sealed
    segment: Segment | None = None
    copied: bool = False
    forsaken: bool = False
    adopted: Adopted | None = None

    @property
    def place(self) -> Place:
        """Where the books have it."""
        return "held" if self.segment is None else "spooled"


class Flights:
    """What is in memory, each batch as its payload and `BATCH_BYTES`.

    `memory_bytes` counts all of it, `flying_bytes` what Kafka's client has a copy of. `idle_bytes` is what that client
    has given back to the allocator of the process, which keeps it for the next copies.
    """

    def __init__(self) -> None:
        self.outbox: deque[Sealed] = deque()
        self.flying: dict[int, Flight] = {}
        self.retry: deque[Flight] = deque()
        self.flying_bytes = 0
        self._shelf = Shelf()
        self._payload_bytes = 0
        self._flying_most = 0
        self._tokens = 0

    @property
    def memory_bytes(self) -> int:
        """Bytes held: every batch, and once more those that Kafka's client has copied."""
        return self._payload_bytes + self.flying_bytes

    @property
    def idle_bytes(self) -> int:
        """Bytes that Kafka's client once had copied at one moment, less those that it has now."""
        return self._flying_most - self.flying_bytes

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in memory."""
        return not (self.outbox or self.flying or self.retry)

    @property
    def copied(self) -> int:
        """Flights that also wait on disk, unread."""
        return sum(flight.copied for flight in self.flying.values())

    @property
    def adopted(self) -> int:
        """Flights of ended lives."""
        return sum(flight.adopted is not None for flight in self.flying.values())

    @property
    def first_ordinal(self) -> int | None:
        """Smallest ordinal of this life in memory; None when there is none."""
        own = [one.sealed.ordinal for one in self if one.adopted is None]
        if self.outbox:
            own.append(self.outbox[0].ordinal)
        return min(own, default=None)

    def __iter__(self) -> Iterator[Flight]:
        """Every flight, on its way or to be sent again."""
        yield from self.flying.values()
        yield from self.retry

    def put(self, sealed: Sealed) -> None:
        """A new batch waits in memory."""
        if self._payload_bytes > LOOSE_BYTES:
            sealed.payload = self._shelf.bytes_like(sealed.payload)
        self.outbox.append(sealed)
        self._payload_bytes += _weight(sealed)

    def pop(self) -> Sealed:
        """The oldest waiting batch leaves memory."""
        sealed = self.outbox.popleft()
        self._payload_bytes -= _weight(sealed)
        return sealed

    def token(self) -> int:
        """A new name for a flight."""
        self._tokens += 1
        return self._tokens

    def depart(self, token: int, flight: Flight) -> None:
        """A flight is on its way."""
        self.flying[token] = flight
        self._payload_bytes += _weight(flight.sealed)
        self.flying_bytes += _weight(flight.sealed)
        self._flying_most = max(self._flying_most, self.flying_bytes)

    def land(self, token: int) -> Flight | None:
        """A flight has come to an end and leaves memory; None when it is not known (any more)."""
        flight = self.flying.pop(token, None)
        if flight is not None:
            self._payload_bytes -= _weight(flight.sealed)
            self.flying_bytes -= _weight(flight.sealed)
        return flight

    def again(self, flight: Flight) -> None:
        """A flight is to be sent again, in the order in which the batches were sealed."""
        self.retry.append(flight)
        self._payload_bytes += _weight(flight.sealed)
        if len(self.retry) > 1 and self.retry[-2].sealed.ordinal > flight.sealed.ordinal:
            self.retry = deque(sorted(self.retry, key=lambda one: one.sealed.ordinal))

    def next_again(self) -> Flight:
        """The first flight to be sent again leaves memory."""
        flight = self.retry.popleft()
        self._payload_bytes -= _weight(flight.sealed)
        return flight

    def forget_again(self, flight: Flight) -> None:
        """A flight to be sent again leaves memory, since its record on disk will be read."""
        self.retry.remove(flight)
        self._payload_bytes -= _weight(flight.sealed)


def _weight(sealed: Sealed) -> int:
    return len(sealed.payload) + BATCH_BYTES
