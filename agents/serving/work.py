"""Work that blocks, in a thread: nothing that it makes is lost when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def in_thread(work: Callable[[], T], dispose: Callable[[T], object]) -> T:
    """Do work in a thread; when nobody waits for it any more, what it gives is disposed of."""
    lock = threading.Lock()
    is_given_up = False
    made: list[T] = []

    def whole() -> T:
        found = work()
        with lock:
            made.append(found)
            is_wanted = not is_given_up
        if not is_wanted:
            dispose(found)
        return found

    try:
        return await asyncio.to_thread(whole)
    except asyncio.CancelledError:
        with lock:
            is_given_up = True
            lost = list(made)
        for one in lost:  # it came while we were told to stop
            dispose(one)
        raise
