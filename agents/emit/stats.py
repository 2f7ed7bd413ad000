"""What `Emitter.stats()` answers, and the heartbeat that tells readers the same."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from driftline.agents.emit.ledger import Book
from driftline.agents.emit.options import Options
from driftline.schemas.codec import encode

# A heartbeat carries this many books of ended lives at most, those with rows left first of all.
_ADOPTED_BOOKS: Final = 100


@dataclass(frozen=True, slots=True)
class AdoptedBook:
    """The account of one topic of a life that has ended, whose spool this emitter sends."""

    instance: str
    epoch: int
    topic: str
    book: Book


@dataclass(frozen=True, slots=True)
class Stats:
    """The books of one emitter life at one moment; rows everywhere.

    `topics` has one book for `predictions` and one for `labels`; `adopted` are the books of ended lives, which are part
    of no other figure: the last 64 of those whose spools are empty now, then those with rows left. `away` says that
    Kafka does not answer.
    """

    instance: str
    epoch: int
    topics: Mapping[str, Book]
    next_seq: Mapping[str, int]
    adopted: Sequence[AdoptedBook] = ()
    buffer_bytes: int = 0
    spool_bytes: int = 0
    oldest_spooled_ms: int | None = None
    away: bool = False
    closed: bool = False

    @property
    def total(self) -> Book:
        """Predictions and labels as one account."""
        return sum(self.topics.values(), Book())

    @property
    def enqueued(self) -> int:
        """Rows offered by the application."""
        return self.total.enqueued

    @property
    def delivered(self) -> int:
        """Rows acknowledged by Kafka."""
        return self.total.delivered

    @property
    def spooled(self) -> int:
        """Rows on disk."""
        return self.total.spooled

    @property
    def in_flight(self) -> int:
        """Rows in memory: buffered, or sent and not acknowledged."""
        return self.total.in_flight

    @property
    def dropped(self) -> Mapping[str, int]:
        """Rows given up, by reason."""
        return self.total.dropped

    def ledger(self) -> dict[str, Any]:
        """The five figures as plain values, for summaries and JSON."""
        total = self.total
        return {
            "enqueued": total.enqueued,
            "delivered": total.delivered,
            "dropped": dict(total.dropped),
            "spooled": total.spooled,
            "in_flight": total.in_flight,
        }


def heartbeat(stats: Stats, options: Options, *, now_ms: int, started_ms: int) -> bytes:
    """Encode an EmitterStatus."""
    return encode(
        "EmitterStatus",
        {
            "instance": stats.instance,
            "epoch": stats.epoch,
            "deployment": options.deployment,
            "model_version": options.version,
            "slot": options.slot,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "time_ms": now_ms,
            "started_ms": started_ms,
            "heartbeat_ms": int(options.heartbeat_s * 1000),
            "closed": stats.closed,
            "books": [
                {
                    "topic": topic,
                    "next_seq": stats.next_seq[topic],
                    "announced_rows": book.enqueued,
                    "enqueued": book.enqueued,
                    "delivered": book.delivered,
                    "spooled": book.spooled,
                    "in_flight": book.in_flight,
                    "dropped": dict(book.dropped),
                }
                for topic, book in stats.topics.items()
            ],
            "adopted": [
                {
                    "instance": one.instance,
                    "epoch": one.epoch,
                    "topic": one.topic,
                    "spooled": one.book.spooled + one.book.in_flight,
                    "delivered": one.book.delivered,
                    "dropped": dict(one.book.dropped),
                }
                for one in stats.adopted[-_ADOPTED_BOOKS:]
            ],
            "buffer_bytes": stats.buffer_bytes,
            "buffer_cap_rows": options.buffer_events,
            "spool_bytes": stats.spool_bytes,
            "oldest_spooled_ms": stats.oldest_spooled_ms,
        },
    )
