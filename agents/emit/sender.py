"""The one background thread of a life: seals what waits, sends it, tells readers how the books stand."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from driftline.agents.emit import assemble, ids, labels
from driftline.agents.emit.complaints import Complaints
from driftline.agents.emit.courier import Courier
from driftline.agents.emit.door import LABELS, PREDICTIONS, Door
from driftline.agents.emit.errors import cause_of
from driftline.agents.emit.kinds import Kinds
from driftline.agents.emit.opened import joined
from driftline.agents.emit.options import Options
from driftline.agents.emit.packers import labels_packer, predictions_packer
from driftline.agents.emit.seal import Batch, Sealed, Sealer
from driftline.agents.emit.shapes import ShapeBook
from driftline.agents.emit.ticket import Ticket
from driftline.agents.emit.transport import KafkaTransport
from driftline.agents.emit.values import wall_ms

# Batches sealed between two looks at Kafka, so that neither starves.
_BATCHES: Final = 32
_POLL_S: Final = 0.02
_AWAY_POLL_S: Final = 0.1
_LONGEST_SLEEP_S: Final = 1.0
_ADOPT_S: Final = 60.0
# While spools of ended lives wait for room.
_ADOPT_WAITS_S: Final = 1.0
_LAST_WORD_S: Final = 2.0


class Sender:
    """Runs until `finish`."""

    def __init__(
        self,
        options: Options,
        door: Door,
        courier: Courier,
        transport: KafkaTransport,
        kinds: Kinds,
        life: tuple[str, int],
        complaints: Complaints,
    ) -> None:
        instance, epoch = life
        self.tickets: deque[Ticket] = deque()
        self.pool: deque[bytes] = deque()
        self._options = options
        self._door = door
        self._courier = courier
        self._transport = transport
        self._shapes = ShapeBook(options.treatments)
        self._key = instance.encode()
        self._complaints = complaints
        self._ordinal = 0
        self._gathering_since_s: float | None = None
        self._idle = False
        self._beat_s = 0.0
        self._dropped_as_full = {"buffer": 0, "spool": 0}
        self._adopt_s = 0.0
        self._deadline_s: float | None = None
        self.sealers: Final = {
            PREDICTIONS: Sealer(
                PREDICTIONS,
                options.deployment,
                instance,
                epoch,
                predictions_packer(options, kinds),
            ),
            LABELS: Sealer(
                LABELS,
                options.deployment,
                instance,
                epoch,
                labels_packer(options),
            ),
        }

    def finish(self, deadline_s: float) -> None:
        """Ask the thread to deliver or spool everything by a time (monotonic) and end."""
        self._deadline_s = deadline_s
        self._door.ring()

    def run(self, heartbeat: Callable[..., bytes]) -> None:
        """The thread's life; whatever goes wrong in one pass is said, and the next one goes on.

        `heartbeat(closed=...)` gives the bytes of an EmitterStatus.
        """
        while not self._is_finished():
            try:
                self._pass(heartbeat)
            except BaseException as error:  # noqa: BLE001 - this thread must outlive every fault
                self._complaints.say("sender", f"the emitter's thread met {cause_of(error)}")
                self._door.bell.wait(_AWAY_POLL_S)
        try:
            self._end(heartbeat)
        except BaseException as error:  # noqa: BLE001 - the process is about to end
            self._complaints.say("sender", f"the emitter could not close: {cause_of(error)}")
        for ticket in list(self.tickets):
            ticket.done.set()

    def _pass(self, heartbeat: Callable[..., bytes]) -> None:
        now_s = time.monotonic()
        for _ in ids.stock(self.pool, wall_ms()):
            time.sleep(0)
        # Tickets that are here now are served by this pass: what was offered before them is sealed below.
        tickets = list(self.tickets)
        self._door.let_pack(may=all(ticket.limit is not None for ticket in tickets))
        is_packing = self._door.is_packing
        drained = self._gather(now_s, everything=bool(tickets) or self._deadline_s is not None)
        spool = self._courier.spool
        if spool is not None and now_s >= self._adopt_s:
            self._adopt_s = now_s + _ADOPT_S
            if not spool.adopt():
                self._adopt_s = now_s + _ADOPT_WAITS_S
        self._courier.pump(time.monotonic(), wall_ms())
        self._door.full_reason = "spool_full" if spool is not None and spool.is_full else "buffer_full"
        if now_s >= self._beat_s:
            self._beat_s = now_s + self._options.heartbeat_s
            self._complain_if_full()
            self._transport.tell("emitter-status", self._key, heartbeat(closed=False))
        self._serve(tickets, drained=drained and not is_packing)
        # At once: the next pass may be a burst away.
        self._door.let_pack(may=all(ticket.limit is not None for ticket in list(self.tickets)))
        self._rest(now_s, drained=drained)

    def _gather(self, now_s: float, *, everything: bool) -> bool:
        """Seal what is due; returns whether nothing that was due is left."""
        door = self._door
        if not door.waiting:
            self._gathering_since_s = None
        elif self._gathering_since_s is None:
            self._gathering_since_s = now_s
        since_s = self._gathering_since_s
        lingered = since_s is not None and now_s - since_s >= self._options.linger_s
        # What came after this moment begins a linger of its own: else a fast caller would get tiny batches.
        due = door.waiting if everything or lingered else 0
        until_s = time.monotonic() if everything else now_s - self._options.linger_s
        for _ in range(_BATCHES):
            if len(door.rows) >= door.room.batch_rows or due > 0:
                due -= self._seal_rows(self._options.batch_rows)
                self._gathering_since_s = now_s if door.waiting else None
            elif not self._seal_gathered(until_s):
                return True
            deque(ids.stock(self.pool, wall_ms(), 1 + self._options.batch_rows // ids.AHEAD), maxlen=0)
            # Give the application's threads the interpreter between two batches, while there are few.
            if not door.is_crowded:
                time.sleep(0)
        return False

    def _seal_rows(self, rows: int) -> int:
        taken = self._door.take_rows(rows)
        for one in assemble.chunks(taken, self._shapes, lambda chunk: chunk):
            if isinstance(one, str):
                self._lose(PREDICTIONS, "invalid", one)
            else:
                self._seal(PREDICTIONS, one)
        known = self._door.take_labels(rows)
        if known:
            self._seal(LABELS, labels.LabelChunk(known))
        self._door.sealed(self._courier.flights.memory_bytes)
        return len(taken) + len(known)

    def _seal_gathered(self, until_s: float) -> bool:
        """Seal one batch of columns, a whole one or one that has waited; False when there is none."""
        taken = self._door.take_gathered(until_s)
        if taken is None:
            return False
        self._seal(PREDICTIONS, joined(taken.parts))
        self._door.sealed(self._courier.flights.memory_bytes)
        return True

    def _seal(self, topic: str, batch: Batch) -> None:
        for one in self.sealers[topic].seal(batch, wall_ms(), self._ordinal):
            if isinstance(one, Sealed):
                self._ordinal += 1
                self._courier.flights.put(one)
            else:
                self._lose(topic, one.reason, one.cause)

    def _lose(self, topic: str, reason: str, cause: str) -> None:
        with self._door.lock:
            self._door.ledgers[topic].drop(1, reason, "held")
        what = "a prediction" if topic == PREDICTIONS else "a label"
        sentence = f"{what} of {self._options.deployment!r} was dropped as {reason}: {cause}"
        self._complaints.say(reason, sentence)

    def _complain_if_full(self) -> None:
        with self._door.lock:
            books = list(self._door.books().values())
        for where, before in self._dropped_as_full.items():
            reason = f"{where}_full"
            dropped = sum(book.dropped.get(reason, 0) for book in books)
            if dropped > before:
                self._dropped_as_full[where] = dropped
                sentence = (
                    f"{dropped - before:,} rows were dropped, for the {where} is full: see stats().dropped"
                )
                self._complaints.say(reason, sentence, rows=dropped - before)

    def _serve(self, tickets: list[Ticket], *, drained: bool) -> None:
        first = self._courier.first_ordinal
        for ticket in tickets:
            if ticket.limit is None and drained:
                ticket.limit = self._ordinal
            if ticket.limit is not None and (first is None or first >= ticket.limit):
                ticket.delivered = True
                ticket.done.set()
                with suppress(ValueError):  # its caller may have run out of patience just now
                    self.tickets.remove(ticket)

    def _rest(self, now_s: float, *, drained: bool) -> None:
        """Sleep until something is due: an answer of Kafka, a full batch, the end of a linger, a heartbeat."""
        courier = self._courier
        idle = not self._door.has_rows
        # Only after a whole linger without an event is the next one asked to ring: ringing costs the caller.
        ring_at = 0 if idle and self._idle else self._door.room.batch_rows
        self._idle = idle
        self._door.settle(ring_at, courier.flights.memory_bytes, courier.flights.idle_bytes)
        if not drained:
            timeout_s = 0.0
        elif self.tickets or self._deadline_s is not None or courier.has_work:
            timeout_s = _AWAY_POLL_S if courier.is_away else _POLL_S
        elif ring_at:
            timeout_s = self._options.linger_s
        else:
            timeout_s = min(_LONGEST_SLEEP_S, max(0.0, self._beat_s - now_s))
        if courier.flights.flying and not courier.is_away:
            self._transport.poll(min(timeout_s, self._until_lingered(now_s)))
            self._door.bell.wait(0.0)
        else:
            self._transport.poll(0.0)
            self._door.bell.wait(min(timeout_s, self._until_lingered(now_s)))

    def _until_lingered(self, now_s: float) -> float:
        found = (self._gathering_since_s, self._door.gathering_since_s)
        since_s = min((one for one in found if one is not None), default=None)
        if since_s is None:
            return _LONGEST_SLEEP_S
        return max(0.001, since_s + self._options.linger_s - now_s)

    def _is_finished(self) -> bool:
        """Whether the thread was asked to end and may: all is delivered, or safe while Kafka is away, or time is up."""
        if self._deadline_s is None:
            return False
        if time.monotonic() >= self._deadline_s:
            return True
        courier = self._courier
        if self._door.has_rows or not courier.is_settled:
            return False
        return courier.is_away or courier.first_ordinal is None

    def _end(self, heartbeat: Callable[..., bytes]) -> None:
        self._door.let_pack(may=False)
        end_s = time.monotonic() + _LAST_WORD_S
        while not self._gather(time.monotonic(), everything=True) or (
            self._door.is_packing and time.monotonic() < end_s
        ):
            time.sleep(0)
        courier = self._courier
        if courier.first_ordinal is None and not courier.is_away:
            self._last_word(heartbeat)
        self._transport.close()
        courier.give_up(time.monotonic())
        if courier.spool is not None:
            courier.spool.close()

    def _last_word(self, heartbeat: Callable[..., bytes]) -> None:
        """Tell readers that nothing can be lost any more."""
        end_s = min(time.monotonic() + _LAST_WORD_S, max(time.monotonic() + 0.1, self._deadline_s or 0.0))
        while self._transport.is_telling and time.monotonic() < end_s:
            self._transport.poll(_POLL_S)
        self._transport.tell("emitter-status", self._key, heartbeat(closed=True))
        while self._transport.is_telling and time.monotonic() < end_s:
            self._transport.poll(_POLL_S)
