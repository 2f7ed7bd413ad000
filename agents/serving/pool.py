"""Pool: threads that call models, behind a queue that is bounded; the event loop waits for none of them.

A call that takes too long is given up by whoever waits for it; its thread goes on until the model answers, and only
then is the lease let go of. A call that was given up before a thread took it is never made.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.agents.serving.lease import Lease

    Call = Callable[[], Any]


class PoolFullError(Exception):
    """More calls wait than may."""


class _Job:
    __slots__ = ("call", "future", "lease")

    def __init__(self, call: Call, lease: Lease, future: asyncio.Future[tuple[Any, float]]) -> None:
        self.call = call
        self.lease = lease
        self.future = future


class Pool:
    """Threads of one purpose.

    Args:
        name: of its threads.
        threads: how many; they start with the first calls.
        waiting: how many calls may wait beyond those that run.
    """

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._name, self._threads, self._most = name, threads, threads + waiting
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._started: list[threading.Thread] = []
        self._done: list[tuple[_Job, Any, BaseException | None, float]] = []
        self._lock: Final = threading.Lock()
        self.under_way = 0
        """Calls that wait or run."""

    @property
    def waiting(self) -> int:
        """Calls that no thread has taken yet."""
        return self._jobs.qsize()

    def submit(self, call: Call, lease: Lease) -> asyncio.Future[tuple[Any, float]]:
        """Let a thread make a call; the lease is let go of when it has ended.

        Returns:
            What becomes its result and how long it took, s. Cancel it to give the call up.

        Raises:
            PoolFullError: too many wait; the lease is let go of.
        """
        if self.under_way >= self._most:
            lease.release()
            raise PoolFullError
        loop = asyncio.get_running_loop()
        job = _Job(call, lease, loop.create_future())
        self.under_way += 1
        if len(self._started) < min(self._threads, self.under_way):
            self._start(loop)
        self._jobs.put(job)
        return job.future

    async def call(self, call: Call, lease: Lease, timeout_s: float) -> tuple[Any, float]:
        """Make a call and wait for it.

        Raises:
            TimeoutError: it took longer.
            PoolFullError: as `submit`.
            Exception: what the call raises.
        """
        future = self.submit(call, lease)
        handle = future.get_loop().call_later(timeout_s, _expire, future)
        try:
            return await future
        finally:
            handle.cancel()

    def close(self) -> None:
        """Let the threads end once they have nothing to do; one that hangs ends with the process."""
        for _ in self._started:
            self._jobs.put(None)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        thread = threading.Thread(
            target=self._run, args=(loop,), name=f"{self._name}-{len(self._started)}", daemon=True
        )
        self._started.append(thread)
        thread.start()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while (job := self._jobs.get()) is not None:
            result, error, seconds = None, None, 0.0
            if not job.future.done():
                began_s = time.perf_counter()
                try:
                    result = job.call()
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
            self.under_way -= 1
            job.lease.release()
            if job.future.done():
                continue
            if error is None:
                job.future.set_result((result, seconds))
            else:
                job.future.set_exception(_shown(error))


def _expire(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())


def _shown(error: BaseException) -> Exception:
    """An error that a future takes: a model may raise SystemExit, and StopIteration would end whoever waits."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(f"{type(error).__name__}: {error}")
