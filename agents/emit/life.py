"""One life of an emitter: what belongs to one process. A fork begins another, and neither touches the other's."""

from __future__ import annotations

import ctypes
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from driftline.agents.emit.complaints import Complaints
from driftline.agents.emit.courier import Courier
from driftline.agents.emit.door import Door
from driftline.agents.emit.kinds import Kinds
from driftline.agents.emit.options import Options
from driftline.agents.emit.owner import has_leftovers
from driftline.agents.emit.sender import Sender
from driftline.agents.emit.shapes import Shape
from driftline.agents.emit.shelf import Shelf
from driftline.agents.emit.spool import Spool
from driftline.agents.emit.stats import AdoptedBook, Stats, heartbeat
from driftline.agents.emit.ticket import Ticket
from driftline.agents.emit.transport import KafkaTransport
from driftline.agents.emit.values import wall_ms

_JOIN_S: Final = 1.0
_PROCESSES: Final = 4_096
"""Consecutive process ids whose epochs never meet: children forked in one microsecond may share an instance."""
_epochs = threading.Lock()
_last_epoch_us = 0


def _after_fork() -> None:
    global _epochs  # noqa: PLW0603 - another thread of the parent may have held it
    _epochs = threading.Lock()


# Before the hook of `process`, which begins new lives here.
os.register_at_fork(after_in_child=_after_fork)


def new_epoch() -> int:
    """Microseconds since 1970, to 4 ms: later than every epoch of this process, and another than other processes'."""
    global _last_epoch_us  # noqa: PLW0603 - two emitters made in one microsecond must differ
    with _epochs:
        beat = max(time.time_ns() // 1_000, _last_epoch_us + _PROCESSES) // _PROCESSES
        _last_epoch_us = beat * _PROCESSES + os.getpid() % _PROCESSES
        return _last_epoch_us


class Life:
    """The buffer, the books, the thread and the producer of one process; the last two come once there is work.

    `shape` is the shape of the last event, with which the next is compared first.
    """

    def __init__(
        self,
        options: Options,
        kinds: Kinds,
        config: Mapping[str, Any],
        prefix: str,
        on_start: Callable[[], None],
    ) -> None:
        self.instance: Final = options.instance_name()
        # What was given is the process's own: a child of a fork that took it too would number other batches alike.
        is_given = options.epoch is not None and options.made_by == os.getpid()
        self.epoch: Final[int] = options.epoch if is_given and options.epoch else new_epoch()
        self.shape = Shape.none()
        self.complaints: Final = Complaints()
        # Nothing that a life holds holds the life, but its thread while it runs: so all its memory goes with the last
        # reference to it, though a process that answers requests may never look for cycles.
        start = weakref.WeakMethod(self._start)
        self.door: Final = Door(options, lambda: (found := start()) is not None and found())
        self.shelf: Final = Shelf()
        self._options = options
        self._on_start = on_start
        self._started_ms = wall_ms()
        self._transport = KafkaTransport(config, prefix, self.complaints)
        spool = None
        if options.spool_dir is not None:
            spool = Spool(options.spool_dir, options.spool_bytes, self.instance, self.epoch, self.complaints)
        self._courier = Courier(options, self._transport, spool, self.door.ledgers, self.door.lock)
        life = (self.instance, self.epoch)
        self._sender = Sender(
            options, self.door, self._courier, self._transport, kinds, life, self.complaints
        )
        self.pool: Final = self._sender.pool
        self._thread: threading.Thread | None = None
        if options.spool_dir is not None and has_leftovers(options.spool_dir):
            with self.door.lock:
                self._start()

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything offered before the call is delivered; False when time is up or the life has ended."""
        if self._thread is None:
            return True
        ticket = Ticket()
        self._sender.tickets.append(ticket)
        self.door.ring()
        if self._thread.is_alive():
            ticket.done.wait(timeout_s)
        with suppress(ValueError):  # the thread takes a served ticket away itself
            self._sender.tickets.remove(ticket)
        return ticket.delivered

    def close(self, timeout_s: float) -> None:
        """Refuse new events, deliver or spool the old ones, end the thread; at most `timeout_s` and a moment."""
        self.door.close()
        self._sender.finish(time.monotonic() + timeout_s)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s + _JOIN_S)
            if not self._thread.is_alive():
                self.door.sweep()

    def forget(self) -> None:
        """In a forked child: let go of what the parent goes on using, without a word to Kafka or a lock undone."""
        producer = self._transport.take_producer()
        if producer is not None:
            # librdkafka's threads do not exist here: ending its handle would wait for them for ever.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(producer))
        if self._courier.spool is not None:
            self._courier.spool.forget()

    def stats(self) -> Stats:
        """The books at this moment."""
        return self._stats(closed=self.door.is_closed and not (self._thread and self._thread.is_alive()))

    def _stats(self, *, closed: bool) -> Stats:
        spool = self._courier.spool
        with self.door.lock:
            adopted = [
                AdoptedBook(one.instance, one.epoch, topic, ledger.book())
                for one in ((*spool.released, *spool.adopted) if spool else ())
                for topic, ledger in sorted(one.books.items())
            ]
            return Stats(
                instance=self.instance,
                epoch=self.epoch,
                topics=self.door.books(),
                next_seq={topic: sealer.next_seq for topic, sealer in self._sender.sealers.items()},
                adopted=tuple(adopted),
                buffer_bytes=self.door.buffer_bytes,
                spool_bytes=spool.size_bytes if spool else 0,
                oldest_spooled_ms=spool.backlog.oldest_ms if spool else None,
                away=self._courier.is_away,
                closed=closed,
            )

    def _heartbeat(self, *, closed: bool) -> bytes:
        stats = self._stats(closed=closed)
        return heartbeat(stats, self._options, now_ms=wall_ms(), started_ms=self._started_ms)

    def _start(self) -> bool:
        """Start the thread, if it does not run (under the door's lock); False when the interpreter is ending."""
        if self._thread is not None:
            return True
        name = f"driftline-emit-{self._options.deployment}"
        thread = threading.Thread(target=self._sender.run, args=(self._heartbeat,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return False
        self._thread = thread
        self._on_start()
        return True
