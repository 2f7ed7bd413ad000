"""Watchdog: ends a process whose event loop stands still, as while a champion hangs that the loop asks itself.

Nothing else can be done from within: the call cannot be cut off, and no door, halt or signal is heard meanwhile.
Whoever started the process starts it again.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

LEAST_S: Final = 30.0
"""However short requests may take: nothing that the loop does by itself comes near."""
EXIT: Final = 70
"""EX_SOFTWARE of sysexits.h."""
_LOOKS: Final = 8
"""Within the time that the loop may stand still."""


def limit_of(request_s: float) -> float:
    """How long the loop may stand still where requests may take so long, s."""
    return max(LEAST_S, 3.0 * request_s)


@contextmanager
def watched(
    loop: asyncio.AbstractEventLoop, limit_s: float, end: Callable[[float], None] | None = None
) -> Iterator[None]:
    """Watch a loop from a thread, in the loop's own.

    Args:
        loop: that runs.
        limit_s: how long it may stand still, s.
        end: is told for how long it does; by default the process ends.
    """
    pause_s, stopping = limit_s / _LOOKS, threading.Event()
    seen_s = [time.monotonic()]
    timer: asyncio.TimerHandle

    def tick() -> None:
        nonlocal timer
        seen_s[0] = time.monotonic()
        timer = loop.call_later(pause_s, tick)

    def watch() -> None:
        looked_s = time.monotonic()
        while not stopping.wait(pause_s):
            now_s = time.monotonic()
            if now_s - looked_s > 2 * pause_s:
                seen_s[0] = now_s  # the whole process stood still, as one that was paused
            looked_s = now_s
            if now_s - seen_s[0] > limit_s:
                (end or _end)(now_s - seen_s[0])
                return

    timer = loop.call_later(pause_s, tick)
    thread = threading.Thread(target=watch, name="watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        timer.cancel()
        thread.join()


def leave(code: int) -> None:
    """End the process at once, with what was said before: libraries abort it where one of their calls hangs."""
    logging.shutdown()
    os._exit(code)


def _end(still_s: float) -> None:
    logger.critical(
        "the event loop stood still for %.0f s, as while a model hangs that it asked itself: this process ends; "
        "serve.inline_seconds = 0 asks every model from a thread",
        still_s,
    )
    faulthandler.dump_traceback(all_threads=True)
    leave(EXIT)
