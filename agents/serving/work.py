"""Work that takes long, as loading a model: in threads of its own, so that nothing else waits for it.

The threads that read large requests, obey local halts and deliver what is left are others. A process that ends waits
for none of these. Nothing that work makes is lost when nobody waits for it any more.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

AT_ONCE: Final = 6
"""Pieces of work at a time; more wait for their turn."""
_TURNS: Final = threading.BoundedSemaphore(AT_ONCE)
_THREAD: Final = "work"


def under_way() -> int:
    """How many pieces of work there are, those that nobody waits for any more among them."""
    return sum(one.name == _THREAD for one in threading.enumerate())


async def background(work: Callable[[], T]) -> T:
    """Do work in a thread, when it is its turn."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(found: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(found)  # type: ignore[arg-type]
        else:
            future.set_exception(error)

    def whole() -> None:
        found, error = None, None
        with _TURNS:
            try:
                found = work()
            except BaseException as raised:  # noqa: BLE001 - raised where it is waited for
                error = raised
        with suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(settle, found, error)

    threading.Thread(target=whole, name=_THREAD, daemon=True).start()
    return await future


class _GivenUpError(Exception):
    """Nobody waits for work that had not its turn yet."""


async def in_thread(work: Callable[[], T], dispose: Callable[[T], object]) -> T:
    """Do work in a thread; when nobody waits for it any more, what it gives is disposed of."""
    lock = threading.Lock()
    is_given_up = False
    made: list[T] = []

    def whole() -> T:
        if is_given_up:
            raise _GivenUpError
        found = work()
        with lock:
            made.append(found)
            is_wanted = not is_given_up
        if not is_wanted:
            dispose(found)
        return found

    try:
        return await background(whole)
    except asyncio.CancelledError:
        with lock:
            is_given_up = True
            lost = list(made)
        for one in lost:  # it came while we were told to stop
            dispose(one)
        raise
