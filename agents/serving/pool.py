"""Pool: threads that call models, behind a queue that is bounded; the event loop waits for none of them.

A call that takes too long is given up by whoever waits for it. Its thread goes on until the model answers, and only
then is the lease let go of. Until then another thread takes its place, as far as a bound, so that calls that hang take
nothing from those that come after them. A call that was given up before a thread took it is never made.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from driftline.agents.serving.errors import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.agents.serving.lease import Lease

    Call = Callable[[], Any]

MOST_HUNG: Final = 32
"""Threads beyond a pool's own, in place of those that hang in calls that were given up; then no call is taken."""


class PoolFullError(Exception):
    """More calls wait than may, or all threads hang."""


class NoThreadError(PoolFullError):
    """No thread lives that takes calls, and the machine gives none."""


class NeverBegunError(TimeoutError):
    """A call that was given up before a thread took it: it says nothing of the model."""


class _Job:
    __slots__ = ("call", "future", "has_begun", "is_given_up", "lease", "timer")

    def __init__(self, call: Call, lease: Lease, future: asyncio.Future[tuple[Any, float]]) -> None:
        self.call: Call | None = call
        self.lease, self.future = lease, future
        self.has_begun = self.is_given_up = False
        self.timer: asyncio.TimerHandle | None = None


class Pool:
    """Threads of one purpose, for one event loop.

    Args:
        name: of its threads.
        threads: how many; they start with the first calls.
        waiting: how many calls may wait beyond those that run.
    """

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._name, self._threads, self._most = name, threads, threads + waiting
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._done: list[tuple[_Job, Any, BaseException | None, float]] = []
        self._lock: Final = threading.Lock()
        self._alive = self._made = 0
        """Threads that take calls, and those that were ever started."""
        self.under_way = self.hung = 0
        """Calls that somebody waits for; and those that were given up, and hold a thread."""

    @property
    def waiting(self) -> int:
        """Calls that no thread has taken yet."""
        return max(0, self.under_way - self._alive)

    @property
    def is_stuck(self) -> bool:
        """Whether every thread that it may have hangs."""
        return not self._alive and self._is_staffed

    @property
    def _is_staffed(self) -> bool:
        return self._alive + self.hung >= self._threads + MOST_HUNG

    def submit(self, call: Call, lease: Lease, timeout_s: float) -> asyncio.Future[tuple[Any, float]]:
        """Let a thread make a call; the lease is let go of when it has ended.

        Returns:
            What becomes its result and how long it took, s; or TimeoutError when it took longer than it may, and
            NeverBegunError when it waited for so long. Cancel it to give the call up.

        Raises:
            PoolFullError: too many wait, or there is no thread; the lease is let go of.
        """
        if self.under_way >= self._most or self.is_stuck:
            lease.release()
            raise PoolFullError
        loop = asyncio.get_running_loop()
        self.under_way += 1
        self._staff(loop)
        if not self._alive:
            self.under_way -= 1
            lease.release()
            raise NoThreadError
        job = _Job(call, lease, loop.create_future())
        job.timer = loop.call_later(timeout_s, self._expire, job)
        self._jobs.put(job)
        return job.future

    def close(self) -> None:
        """Let the threads end once they have nothing to do; one that hangs ends with the process."""
        for _ in range(self._alive + self.hung):
            self._jobs.put(None)

    def _staff(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start a thread, if there is more to do than there are threads for, and one may be had."""
        if self._alive < min(self._threads, self.under_way) and not self._is_staffed:
            name = f"{self._name}-{self._made + 1}"
            try:
                threading.Thread(target=self._run, args=(loop,), name=name, daemon=True).start()
            except RuntimeError:  # the machine gives none now; the next call tries again
                return
            self._alive += 1
            self._made += 1

    def _expire(self, job: _Job) -> None:
        """Give a call up whose time is over; also one that nobody waits for any more, for it may hold a thread."""
        with self._lock:
            job.is_given_up, has_begun = True, job.has_begun
        self.under_way -= 1
        if has_begun:
            self._alive -= 1
            self.hung += 1
            self._staff(job.future.get_loop())
        else:
            job.call = None
            job.lease.release()
        if not job.future.done():
            job.future.set_exception(TimeoutError() if has_begun else NeverBegunError())

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while (job := self._jobs.get()) is not None:
            with self._lock:
                if job.is_given_up:
                    continue
                job.has_begun = True
            call = None if job.future.done() else job.call
            result, error, seconds = None, None, 0.0
            if call is not None:
                began_s = time.perf_counter()
                try:
                    result = call()
                except BaseException as raised:  # noqa: BLE001 - whatever a model raises is an answer
                    error = raised
                seconds = time.perf_counter() - began_s
            self._deliver(loop, (job, result, error, seconds))

    def _deliver(
        self, loop: asyncio.AbstractEventLoop, done: tuple[_Job, Any, BaseException | None, float]
    ) -> None:
        """Hand an answer to the loop; one wake-up serves all that came since the last."""
        with self._lock:
            self._done.append(done)
            if len(self._done) > 1:
                return
        try:
            loop.call_soon_threadsafe(self._settle)
        except RuntimeError:  # the loop has ended: nobody waits any more
            return

    def _settle(self) -> None:
        with self._lock:
            done, self._done = self._done, []
        for job, result, error, seconds in done:
            job.lease.release()
            if job.is_given_up:
                self._back()
                continue
            if job.timer is not None:
                job.timer.cancel()
            self.under_way -= 1
            if job.future.done():
                continue
            if error is None:
                job.future.set_result((result, seconds))
            else:
                job.future.set_exception(shown(error))

    def _back(self) -> None:
        """A thread that hung takes calls again; one more than there may be ends."""
        self.hung -= 1
        if self._alive < self._threads:
            self._alive += 1
        else:
            self._jobs.put(None)
