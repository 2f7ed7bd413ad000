"""A courier with its Kafka, its clock and its books, all in a test's hands."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from emit_fakes import FakeTransport

from driftline.agents.emit.complaints import Complaints
from driftline.agents.emit.courier import Courier
from driftline.agents.emit.ledger import Ledger
from driftline.agents.emit.options import checked
from driftline.agents.emit.seal import Sealed
from driftline.agents.emit.spool import Spool


class Road:
    """A courier with its Kafka, its clock and its books."""

    def __init__(self, folder: Path | None, epoch: int = 1, **options: Any) -> None:
        given = {"stall_s": 1.0, **options, **({} if folder is None else {"spool_dir": folder})}
        checked_options = checked("fraud", "1", given)
        self.kafka = FakeTransport()
        self.ledger = Ledger()
        spool = None
        if folder is not None:
            spool = Spool(folder, checked_options.spool_bytes, "app-1", epoch, Complaints())
        self.spool = spool
        self.courier = Courier(
            checked_options, self.kafka, spool, {"predictions": self.ledger}, threading.RLock()
        )
        self.now_s = 100.0
        self.now_ms = 1_000_000
        self.seq = 0

    def seal(self, count: int = 1, size_bytes: int = 64) -> None:
        """New batches of ten rows each."""
        for _ in range(count):
            payload = self.seq.to_bytes(8, "little") * (size_bytes // 8)
            self.ledger.accept(10)
            self.courier.flights.put(
                Sealed("predictions", b"fraud", payload, self.seq, 10, self.now_ms, self.now_ms, self.seq)
            )
            self.seq += 1

    def pump(self, later_s: float = 0.0) -> None:
        """Time passes, and the courier works."""
        self.now_s += later_s
        self.now_ms += int(later_s * 1000)
        self.courier.pump(self.now_s, self.now_ms)

    @property
    def arrived(self) -> list[int]:
        """Numbers on Kafka's log, in order."""
        return [int.from_bytes(payload[:8], "little") for payload in self.kafka.log]

    @property
    def books(self) -> dict[str, Any]:
        """The account; it balances."""
        book = self.ledger.book()
        assert book.balance == 0
        return {
            "delivered": book.delivered,
            "spooled": book.spooled,
            "in_flight": book.in_flight,
            **book.dropped,
        }


Roads = Callable[..., Road]


@contextmanager
def roads() -> Iterator[Roads]:
    """Make roads; at the end their files are closed."""
    with ExitStack() as stack:

        def make(folder: Path | None, **options: Any) -> Road:
            road = Road(folder, **options)
            if road.spool is not None:
                stack.callback(road.spool.forget)
            return road

        yield make
