"""The books of one emitter life: where every accepted row is, so that none can vanish between two places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

REASONS: Final = (
    "invalid",  # the event cannot travel: no dict, no features, a name that is none, a time that is none
    "buffer_full",  # the caps of the memory buffer were reached
    "spool_full",  # the spool was at its cap (or its disk was): the new event, or the oldest segment
    "expired",  # older than the greatest age of a spool when the broker came back
    "too_large",  # one row that is more than a message may be
    "corrupt",  # the spool's bytes no longer match their checksum
    "closed",  # offered after close()
    "undelivered",  # still in memory when close() ran out of time, and there was no spool to take it
)
Place = Literal["held", "spooled"]


@dataclass(frozen=True, slots=True)
class Book:
    """The account of one topic in rows: enqueued = delivered + sum(dropped) + spooled + in_flight, at every moment."""

    enqueued: int = 0
    delivered: int = 0
    spooled: int = 0
    in_flight: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)

    @property
    def balance(self) -> int:
        """Rows unaccounted for: 0, always."""
        return self.enqueued - self.delivered - sum(self.dropped.values()) - self.spooled - self.in_flight

    def __add__(self, other: Book) -> Book:
        """Both accounts as one."""
        return Book(
            self.enqueued + other.enqueued,
            self.delivered + other.delivered,
            self.spooled + other.spooled,
            self.in_flight + other.in_flight,
            dict(Counter(self.dropped) + Counter(other.dropped)),
        )


class Ledger:
    """Rows of one topic by place; every method moves rows from one place to one other. Not locked: its owner is.

    `held` are rows in memory that have left the open queue of single events; rows still in that queue are added by
    `book`, since they enter without a lock.
    """

    __slots__ = ("_delivered", "_dropped", "_enqueued", "_held", "_spooled")

    def __init__(self) -> None:
        self._enqueued = 0
        self._held = 0
        self._spooled = 0
        self._delivered = 0
        self._dropped: Counter[str] = Counter()

    @property
    def held(self) -> int:
        """Rows in memory, without the open queue."""
        return self._held

    @property
    def spooled(self) -> int:
        """Rows on disk."""
        return self._spooled

    def accept(self, rows: int) -> None:
        """Rows came in and are in memory."""
        self._enqueued += rows
        self._held += rows

    def find(self, rows: int) -> None:
        """Rows were found on disk: the spool of a life that has ended."""
        self._enqueued += rows
        self._spooled += rows

    def refuse(self, rows: int, reason: str) -> None:
        """Rows were offered and turned away."""
        self._enqueued += rows
        self._dropped[reason] += rows

    def spool(self, rows: int) -> None:
        """Rows went from memory to disk."""
        self._held -= rows
        self._spooled += rows

    def unspool(self, rows: int) -> None:
        """Rows are in memory alone, since their place on disk is given up."""
        self._spooled -= rows
        self._held += rows

    def deliver(self, rows: int, place: Place) -> None:
        """The broker acknowledged rows that were in memory alone, or on disk."""
        self._leave(rows, place)
        self._delivered += rows

    def drop(self, rows: int, reason: str, place: Place) -> None:
        """Rows that were accepted are given up."""
        self._leave(rows, place)
        self._dropped[reason] += rows

    def book(self, queued: int = 0) -> Book:
        """The account at this moment; `queued` is the length of the open queue."""
        return Book(
            enqueued=self._enqueued + queued,
            delivered=self._delivered,
            spooled=self._spooled,
            in_flight=self._held + queued,
            dropped=dict(self._dropped),
        )

    def _leave(self, rows: int, place: Place) -> None:
        if place == "held":
            self._held -= rows
        else:
            self._spooled -= rows
