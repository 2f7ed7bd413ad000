"""Carries sealed batches to Kafka: from memory, or by way of the spool while Kafka is away; nothing is lost in between.

Whatever happens to a batch, its bytes stay as they are, so a reader skips what arrives twice. While no answer comes for
`stall_s`, or after a failure, Kafka counts as away: what is on its way is copied to the spool, then what waits behind
it, so that a kill loses nothing that was sealed; and one batch at a time probes whether Kafka is back.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from driftline.agents.emit.backlog import Backlog, Segment
from driftline.agents.emit.flights import Flight, Flights
from driftline.agents.emit.ledger import Ledger
from driftline.agents.emit.options import Options
from driftline.agents.emit.seal import Sealed
from driftline.agents.emit.spool import Adopted, Spool
from driftline.agents.emit.transport import Transport

# Readers remember 1,024 numbers beyond the first hole: no batch may overtake another by more.
WINDOW_BATCHES: Final = 128
# What librdkafka holds beside the emitter's own buffer.
WINDOW_BYTES: Final = 4 << 20
ADOPTED_BATCHES: Final = WINDOW_BATCHES // 4
PROBE_S: Final = 0.5


class Courier:
    """Decides what goes where; `now_s` (monotonic) and `now_ms` (wall) are arguments. One thread works on it.

    The books change under `lock`, which `stats()` takes too.
    """

    def __init__(
        self,
        options: Options,
        transport: Transport,
        spool: Spool | None,
        ledgers: Mapping[str, Ledger],
        lock: AbstractContextManager[Any],
    ) -> None:
        self.flights: Final = Flights()
        self.spool: Final = spool
        self._transport = transport
        self._ledgers = ledgers
        self._lock = lock
        self._stall_s = options.stall_s
        self._age_ms = int(options.spool_age_s * 1000)
        self._drops_oldest = options.on_full == "drop_oldest_spool"
        self._progress_s = 0.0
        self._probe_s = 0.0
        self._failing = False
        self.is_away = False

    def pump(self, now_s: float, now_ms: int) -> None:
        """Do everything that can be done now: learn what arrived, secure what must not be lost, send what may go."""
        self._learn(now_s)
        stalled = bool(self.flights.flying) and now_s - self._progress_s >= self._stall_s
        self.is_away = stalled or self._failing
        self._expire(now_ms)
        if self.spool is not None and (self.is_away or self.spool.backlog.has_unread):
            self._secure(flying=self.is_away)
        self._send(now_s, now_ms)

    @property
    def is_settled(self) -> bool:
        """Whether all of this life is delivered or safe on disk."""
        return self.flights.is_empty or (
            not self.flights.outbox and all(one.segment is not None or one.forsaken for one in self.flights)
        )

    @property
    def has_work(self) -> bool:
        """Whether anything waits to be sent, of this life or an ended one."""
        spool = self.spool
        waits = spool is not None and (
            spool.backlog.segments or any(one.backlog.segments for one in spool.adopted)
        )
        return not self.flights.is_empty or bool(waits)

    @property
    def first_ordinal(self) -> int | None:
        """A bound from below on the ordinals of this life that are not delivered; None when all are."""
        found = [self.flights.first_ordinal, self.spool.backlog.first_ordinal if self.spool else None]
        return min((one for one in found if one is not None), default=None)

    def give_up(self, now_s: float) -> None:
        """The end, after the transport's: what is in memory goes to the spool, or is dropped as `undelivered`."""
        self._learn(now_s)
        for token in list(self.flights.flying):
            flight = self.flights.land(token)
            if flight is not None and not flight.copied:
                self.flights.again(flight)
        if self.spool is not None:
            self._secure(flying=True)
        while self.flights.retry:
            flight = self.flights.next_again()
            if flight.segment is None:
                self._drop(flight, "undelivered")
        while self.flights.outbox:
            self._drop(Flight(self.flights.pop()), "undelivered")

    def _learn(self, now_s: float) -> None:
        for report in self._transport.reports():
            flight = self.flights.land(report.token)
            if report.outcome == "failed":
                self._failing = True
                self._probe_s = now_s + PROBE_S
                if flight is not None and not flight.copied:
                    self.flights.again(flight)
                continue
            self._failing = False
            self._progress_s = now_s
            if flight is None:
                continue
            if report.outcome == "delivered":
                with self._lock:
                    self._ledger(flight).deliver(flight.sealed.rows, flight.place)
                self._resolve(flight)
            else:
                self._drop(flight, "too_large")

    def _secure(self, *, flying: bool) -> None:
        """Write to disk, in order, what is in memory alone: flights too when `flying`."""
        if flying:
            alone = [one for one in self.flights if one.segment is None and not (one.adopted or one.forsaken)]
            for flight in sorted(alone, key=lambda one: one.sealed.ordinal):
                segment = self._append(flight.sealed)
                if segment is None:
                    return
                flight.segment = segment
                flight.copied = True
                self._spooled(flight.sealed)
        # A flight that failed and lies on disk unread needs no memory.
        for flight in [one for one in self.flights.retry if one.copied]:
            self.flights.forget_again(flight)
        while self.flights.outbox:
            if self._append(self.flights.outbox[0]) is None:
                return
            self._spooled(self.flights.pop())

    def _append(self, sealed: Sealed) -> Segment | None:
        if self.spool is None:
            return None
        while True:
            segment = self.spool.append(sealed)
            if segment is not None or not self._drops_oldest or self.spool.is_crowded_out:
                return segment
            if not self._drop_segment("spool_full"):
                return None

    def _drop_segment(self, reason: str, before_ms: int | None = None) -> bool:
        """Give up the oldest segment, or only one that ended before a time; False when there is none."""
        if self.spool is None:
            return False
        for adopted in [*self.spool.adopted, None]:
            backlog = adopted.backlog if adopted else self.spool.backlog
            if backlog.segments and (before_ms is None or backlog.segments[0].newest_ms < before_ms):
                self._forsake(backlog, backlog.segments[0], adopted, reason)
                return True
        return False

    def _forsake(self, backlog: Backlog, segment: Segment, adopted: Adopted | None, reason: str) -> None:
        for flight in self.flights:
            if flight.segment is segment:
                # It is on its way, so it lives on in memory.
                if flight.copied:
                    segment.take(flight.sealed.topic, flight.sealed.rows)
                else:
                    segment.outstanding -= 1
                flight.segment, flight.copied, flight.forsaken = None, False, True
                with self._lock:
                    self._ledger(flight).unspool(flight.sealed.rows)
        self._lose(adopted, backlog.give_up(segment), reason)

    def _expire(self, now_ms: int) -> None:
        limit_ms = now_ms - self._age_ms
        while self._drop_segment("expired", limit_ms):
            pass
        while self.flights.outbox and self.flights.outbox[0].sealed_ms < limit_ms:
            self._drop(Flight(self.flights.pop()), "expired")

    def _send(self, now_s: float, now_ms: int) -> None:
        while self._may_send(now_s):
            flight = self._next(now_ms)
            if flight is None:
                return
            if not self.flights.flying and not self.is_away:
                self._progress_s = now_s
            token = self.flights.token()
            sealed = flight.sealed
            if not self._transport.send(token, sealed.topic, sealed.key, bytes(sealed.payload)):
                self.flights.again(flight)
                self._failing = self._failing or not self.flights.flying
                self._probe_s = now_s + PROBE_S
                return
            self.flights.depart(token, flight)

    def _may_send(self, now_s: float) -> bool:
        if self.is_away:
            return not self.flights.flying and now_s >= self._probe_s
        return len(self.flights.flying) < WINDOW_BATCHES and self.flights.flying_bytes < WINDOW_BYTES

    def _next(self, now_ms: int) -> Flight | None:
        """The next batch to send: given-up ones, ended lives up to their share, then this life from its oldest on."""
        while self.flights.retry:
            flight = self.flights.next_again()
            if now_ms - flight.sealed.sealed_ms <= self._age_ms:
                return flight
            self._drop(flight, "expired")
        adopted = self._next_adopted(now_ms)
        if adopted is not None:
            return adopted
        if self.spool is not None and self.flights.copied:
            # Their records come first on disk; once their fate is known the cursor reads them or skips them.
            return None
        if self.spool is not None and self.spool.backlog.segments:
            found = self._read(self.spool.backlog, None, now_ms)
            if found is not None or self.spool.backlog.has_unread:
                return found
        return Flight(self.flights.pop()) if self.flights.outbox else None

    def _next_adopted(self, now_ms: int) -> Flight | None:
        if self.spool is None or not self.spool.adopted or self.flights.adopted >= ADOPTED_BATCHES:
            return None
        for adopted in list(self.spool.adopted):
            found = self._read(adopted.backlog, adopted, now_ms)
            if found is not None:
                return found
            if not adopted.backlog.segments:
                self.spool.release(adopted)
                with self._lock:
                    self.spool.strike(adopted)
        return None

    def _read(self, backlog: Backlog, adopted: Adopted | None, now_ms: int) -> Flight | None:
        for sealed, segment in backlog.read():
            flight = Flight(sealed, segment, adopted=adopted)
            if now_ms - sealed.sealed_ms <= self._age_ms:
                return flight
            self._drop(flight, "expired")
        if backlog.has_unread:
            self._lose(adopted, backlog.unreadable(), "corrupt")
        return None

    def _spooled(self, sealed: Sealed) -> None:
        with self._lock:
            self._ledgers[sealed.topic].spool(sealed.rows)

    def _drop(self, flight: Flight, reason: str) -> None:
        with self._lock:
            self._ledger(flight).drop(flight.sealed.rows, reason, flight.place)
        self._resolve(flight)

    def _lose(self, adopted: Adopted | None, rows: Mapping[str, int], reason: str) -> None:
        with self._lock:
            for topic, count in rows.items():
                ledger = adopted.ledger(topic) if adopted else self._ledgers[topic]
                ledger.drop(count, reason, "spooled")

    def _ledger(self, flight: Flight) -> Ledger:
        if flight.adopted is not None:
            return flight.adopted.ledger(flight.sealed.topic)
        return self._ledgers[flight.sealed.topic]

    def _resolve(self, flight: Flight) -> None:
        """The fate of a flight is known: its record on disk, if it has one, is needed no more."""
        if flight.segment is None or self.spool is None:
            return
        backlog = flight.adopted.backlog if flight.adopted else self.spool.backlog
        if flight.copied:
            backlog.delivered_unread(flight.sealed, flight.segment)
        else:
            backlog.resolved(flight.segment)
