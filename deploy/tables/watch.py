"""When to give Kafka up: an emitter whose rows nobody takes any more is closed, whoever waits for it then."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from driftline.agents.emit import Emitter

LOOKS: Final = 60
"""How often the books are looked at within the time after which Kafka is given up."""


class Watch:
    """Closes an emitter once rows are on their way and none has been acknowledged for some time.

    `stalled` is set then, so that whoever waits for the next rows to be due can wait on it.

    Args:
        emitter: whose books are watched, within `with`.
        stalled_s: the time, in seconds; while this process itself is stopped hardly any goes by.
        clock: seconds of a monotonic clock.
    """

    def __init__(
        self, emitter: Emitter, stalled_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.stalled: Final = threading.Event()
        self._emitter = emitter
        self._stalled_s = stalled_s
        self._clock = clock
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._look, name="driftline-emit-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._thread.join()

    def _look(self) -> None:
        every_s = self._stalled_s / LOOKS
        delivered, silent_s, looked_s = -1, 0.0, self._clock()
        while not self._left.wait(every_s):
            book, now_s = self._emitter.stats(), self._clock()
            silent_s += min(now_s - looked_s, 2 * every_s)
            looked_s = now_s
            if book.delivered != delivered or not book.in_flight:
                delivered, silent_s = book.delivered, 0.0
            elif silent_s >= self._stalled_s:
                self.stalled.set()
                self._emitter.close(0.0)
                return
