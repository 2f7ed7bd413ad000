"""Whatever Kafka, the disk and the clock do, the books balance and each batch arrives or is counted lost."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import hypothesis.strategies as st
import pytest
from emit_fakes import FakeTransport
from examples import many
from hypothesis import given, settings

from driftline.agents.emit.complaints import Complaints
from driftline.agents.emit.courier import Courier
from driftline.agents.emit.flights import BATCH_BYTES
from driftline.agents.emit.ledger import Ledger
from driftline.agents.emit.options import checked
from driftline.agents.emit.seal import Sealed
from driftline.agents.emit.spool import Spool

ROWS = 3
SPOOL_BYTES = 1 << 18
SIZES = (16, 2_000, 16_000)
WAITS_S = (0.0, 0.1, 0.6, 2.0)


class World:
    """One courier after another on one spool directory, and a Kafka that remembers over their lives."""

    def __init__(self, folder: Path, policy: str) -> None:
        self.folder = folder
        self.policy = policy
        self.log: list[bytes] = []
        self.sealed: set[bytes] = set()
        # What no book of the last life knows: in memory at a kill, given up by an orderly end, lost in an older life.
        self.gone: set[bytes] = set()
        self.epoch = 0
        self.now_s = 1_000.0
        self.live()

    def live(self) -> None:
        """A life begins: its own books, its own numbers, the old spools adopted."""
        self.epoch += 1
        given_options: dict[str, object] = {"spool_bytes": SPOOL_BYTES, "stall_s": 1.0}
        if self.policy != "no spool":
            given_options |= {"spool_dir": self.folder, "on_full": self.policy}
        options = checked("fraud", "1", given_options)
        self.kafka = FakeTransport()
        self.kafka.log = self.log
        self.ledger = Ledger()
        self.spool = None
        if options.spool_dir is not None:
            self.spool = Spool(self.folder, SPOOL_BYTES, "app", self.epoch, Complaints())
            self.spool.adopt()
        self.courier = Courier(
            options, self.kafka, self.spool, {"predictions": self.ledger}, threading.RLock()
        )
        self.seq = 0

    def seal(self, number: int) -> None:
        """Batches come, up to twelve, small or large; each tells its life and number."""
        for _ in range(1 + number % 12):
            name = self.epoch.to_bytes(8, "little") + self.seq.to_bytes(8, "little")
            payload = name * (SIZES[number % len(SIZES)] // 16)
            now_ms = int(self.now_s * 1000)
            self.sealed.add(payload)
            self.ledger.accept(ROWS)
            one = Sealed("predictions", b"fraud", payload, self.seq, ROWS, now_ms, now_ms, self.seq)
            self.courier.flights.put(one)
            self.seq += 1

    def work(self, number: int) -> None:
        """Time passes, and the courier works."""
        self.now_s += WAITS_S[number % len(WAITS_S)]
        self.courier.pump(self.now_s, int(self.now_s * 1000))

    def deliver(self, number: int) -> None:
        """Kafka acknowledges some."""
        self.kafka.decide("delivered", count=number)

    def fail(self, number: int) -> None:
        """Kafka's client gives some up."""
        self.kafka.decide("failed", count=number, written=False)

    def fail_though_written(self, number: int) -> None:
        """Kafka's client gives some up that were written all the same."""
        self.kafka.decide("failed", count=number, written=True)

    def clog(self, number: int) -> None:
        """Kafka's client takes nothing for a while, or takes again."""
        self.kafka.takes = number % 2 == 0

    def kill(self, _number: int) -> None:
        """SIGKILL: memory is gone, the disk is not; another life begins."""
        self.gone |= self.in_memory()
        if self.spool is not None:
            self.spool.forget()
        self.live()

    def close(self, _number: int) -> None:
        """An orderly end without Kafka: what cannot be spooled is counted."""
        before = self.in_memory()
        self.courier.give_up(self.now_s)
        book = self.ledger.book()
        assert book.in_flight == 0
        if book.dropped.get("undelivered"):
            self.gone |= before
        if self.spool is not None:
            self.spool.close()
        self.live()

    def in_memory(self) -> set[bytes]:
        """Batches that lie nowhere else."""
        flights = self.courier.flights
        alone = {one.sealed.payload for one in flights if one.segment is None}
        return alone | {one.payload for one in flights.outbox}

    def check(self) -> None:
        """Books balance, this life's and those of adopted spools; memory is counted; the disk keeps its cap."""
        ended = [*self.spool.released, *self.spool.adopted] if self.spool else []
        adopted = [book for one in ended for book in one.books.values()]
        for ledger in [self.ledger, *adopted]:
            book = ledger.book()
            assert book.balance == 0
            assert min(book.delivered, book.spooled, book.in_flight) >= 0
        flights = self.courier.flights
        held = [one.sealed for one in flights] + list(flights.outbox)
        held += [one.sealed for one in flights.flying.values()]  # Kafka's client has copied these
        assert flights.memory_bytes == sum(len(one.payload) + BATCH_BYTES for one in held)
        assert sum(path.stat().st_size for path in self.folder.rglob("*.seg")) <= SPOOL_BYTES

    def recover(self) -> None:
        """Kafka comes back for good."""
        self.kafka.takes = True
        for _ in range(60):
            self.work(3)
            self.kafka.decide("delivered")
        self.work(3)
        self.check()


OPERATIONS = (
    *(World.seal,) * 4,
    *(World.work,) * 6,
    *(World.deliver,) * 3,
    *(World.fail,) * 2,
    World.fail_though_written,
    World.clog,
    World.kill,
    World.close,
)
STEPS = st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(1, 40)), min_size=20, max_size=80)


@pytest.mark.parametrize("policy", ["drop_new", "drop_oldest_spool", "no spool"])
def test_books_balance_and_nothing_vanishes(policy: str) -> None:
    """Through outages, failures, kills and adoptions; in the end all has arrived that no book calls lost."""

    @settings(max_examples=many(60))
    @given(STEPS)
    def holds(steps: list[tuple[object, int]]) -> None:
        with tempfile.TemporaryDirectory() as name:
            world = World(Path(name), policy)
            for operation, number in steps:
                operation(world, number)  # type: ignore[operator]
                world.check()
            world.recover()
            book = world.ledger.book()
            assert (book.spooled, book.in_flight) == (0, 0)
            assert set(world.log) <= world.sealed, "Kafka has bytes that were never sealed"
            if policy == "drop_new":
                assert sum(book.dropped.values()) == 0
            if policy != "drop_oldest_spool":
                assert world.sealed - world.gone - set(world.log) == set()
            if world.spool is not None:
                world.spool.close()
            assert list(Path(name).iterdir()) == []

    holds()
