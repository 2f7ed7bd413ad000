"""Work that takes long, as loading a model: in threads of its own, so that nothing else waits for it.

The threads that read large requests, obey local halts and deliver what is left are others. A process that ends waits
for none of these. Nothing that work makes is lost when nobody waits for it any more; its turn is another's then, though
it may hang.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from driftline.agents.serving.errors import SwapError, shown

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

T = TypeVar("T")

AT_ONCE: Final = 6
"""Loads that are waited for at a time; more wait for their turn."""
WAIT_S: Final = 30.0
"""How long a load waits for others to end that may take the memory it needs."""
MOST_HUNG: Final = 4
"""Loads of a deployment that nobody waits for any more, and that have not ended; then no other is begun."""
TELL_S: Final = 60.0
"""How often one failure that comes again and again is logged at most."""
_THREAD: Final = "work"


def under_way() -> int:
    """How many pieces of work there are, those that nobody waits for any more among them."""
    return sum(one.name == _THREAD for one in threading.enumerate())


def background(work: Callable[[], T], ended: Callable[[], object] = lambda: None) -> asyncio.Future[T]:
    """Begin work in a thread.

    Args:
        work: blocks.
        ended: called by the loop when it has ended, whether somebody still waits or not.

    Raises:
        SwapError: there is no thread to be had.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(found: T | None, error: BaseException | None) -> None:
        ended()
        if future.done():
            return
        if error is None:
            future.set_result(found)  # type: ignore[arg-type]
        else:
            future.set_exception(shown(error))

    def whole() -> None:
        found, error = None, None
        try:
            found = work()
        except BaseException as raised:  # noqa: BLE001 - raised where it is waited for
            error = raised
        with suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(settle, found, error)

    try:
        threading.Thread(target=whole, name=_THREAD, daemon=True).start()
    except RuntimeError as error:
        raise SwapError(f"no thread can be had to load in ({error}): let the agent have more") from error
    return future


class Turns:
    """What the deployments of an agent share: turns to work, and the memory that those who load will take."""

    def __init__(self) -> None:
        self.at_once: Final = asyncio.Semaphore(AT_ONCE)
        self._begun = 0
        self.taking_bytes = 0
        self._ended = asyncio.Event()

    def has_room(self, wanted_bytes: int, free_bytes: Callable[[], int]) -> bool:
        """Whether there is room beside all that work; what takes nobody knows how much has room."""
        return not wanted_bytes or wanted_bytes <= free_bytes() - self.taking_bytes

    async def room_for(self, wanted_bytes: int, free_bytes: Callable[[], int]) -> bool:
        """Whether there is room, once some that work have ended where need be; after a while there is not."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S):
                # What is tried in a child takes memory too, for a moment.
                while self._begun and not self.has_room(wanted_bytes, free_bytes):
                    await self._ended.wait()
        return self.has_room(wanted_bytes, free_bytes)

    def take(self, some_bytes: int) -> Callable[[], None]:
        """Count work that begins, and what it is about to take; gives what ends that, to be called once."""
        self._begun += 1
        self.taking_bytes += some_bytes

        def end() -> None:
            self._begun -= 1
            self.taking_bytes -= some_bytes
            ended, self._ended = self._ended, asyncio.Event()
            ended.set()

        return end


class Work:
    """The long work of one deployment.

    Args:
        of: the deployment.
        turns: of its agent.
    """

    def __init__(self, of: str, turns: Turns) -> None:
        self._of, self._turns = of, turns
        self._hung = 0
        self._lock: Final = threading.Lock()

    async def do(
        self,
        work: Callable[[], T],
        dispose: Callable[[T], object],
        unbegun: Callable[[], object] = lambda: None,
        takes_bytes: int = 0,
    ) -> T:
        """Do work in a thread, when it is its turn; when nobody waits for it any more, what it gives is disposed of.

        Args:
            work: blocks.
            dispose: takes what nobody waited for, in a thread.
            unbegun: called in place of work that never begins.
            takes_bytes: of memory, which others count with until the work has ended.

        Raises:
            SwapError: too much work hangs, or no thread can be had.
        """
        is_begun = is_given_up = has_ended = False
        made: list[T] = []
        taken = self._turns.take(takes_bytes)

        def end(*found: T) -> bool:
            """Note that it has ended; says whether somebody wants what it gave."""
            nonlocal has_ended
            with self._lock:
                has_ended = True
                made.extend(found)
                self._hung -= is_given_up
                return not is_given_up

        def whole() -> T:
            try:
                found = work()
            except BaseException:
                end()
                raise
            if not end(found):
                _let_go(partial(dispose, found))
            return found

        try:
            async with self._turns.at_once:
                if self._hung >= MOST_HUNG:
                    raise SwapError(
                        f"{self._hung} loads of {self._of} were given up and have not ended: if they hang, restart "
                        "the agent"
                    )
                future = background(whole, taken)
                is_begun = True
                return await future
        except asyncio.CancelledError:
            with self._lock:
                is_given_up = is_begun
                self._hung += is_begun and not has_ended
                lost = list(made)
            for one in lost:  # it came while we were told to stop
                _disposed(partial(dispose, one))
            raise
        finally:
            if not is_begun:
                taken()
                unbegun()


def _disposed(dispose: Callable[[], object]) -> None:
    """Let something go in a thread: freeing what is large takes long."""
    try:
        background(partial(_let_go, dispose))
    except SwapError:
        _let_go(dispose)


def _let_go(dispose: Callable[[], object]) -> None:
    try:
        dispose()
    except Exception:
        logger.exception("what nobody waited for does not close")


async def forever(turn: Callable[[], None], every_s: float) -> NoReturn:
    """Call something again and again; what it raises is logged, once a minute at most, and ends nothing.

    Args:
        turn: what to call; it waits for nothing.
        every_s: how long to wait between two calls, s.
    """
    told_s = -TELL_S
    while True:
        try:
            turn()
        except Exception:
            now_s = time.monotonic()
            if now_s - told_s >= TELL_S:
                told_s = now_s
                logger.exception("%s failed, and is tried again every %g s", turn.__qualname__, every_s)
        await asyncio.sleep(every_s)
