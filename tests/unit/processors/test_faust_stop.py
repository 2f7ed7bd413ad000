"""A worker ends when it is told to, whatever its consumer's thread is at."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import inspect
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import Fetcher
from mode.threads import ServiceThread

from driftline.streams.processors.faust_stop import CANCEL_S, CANCELLATIONS, cancel_until_done

WITHIN_S = 10 + CANCELLATIONS * CANCEL_S


class Consumer(ServiceThread):
    """A thread with a task that takes its first cancellations for another's, as aiokafka's fetcher may."""

    def __init__(self, deaf_times: int) -> None:
        super().__init__()
        self._deaf_times = deaf_times
        self.deaf: asyncio.Task[None] | None = None

    async def on_thread_started(self) -> None:
        """Begin the task."""
        self.deaf = asyncio.create_task(self._hear_badly())
        await asyncio.sleep(0)

    async def _hear_badly(self) -> None:
        for _ in range(self._deaf_times):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        await asyncio.Event().wait()


def ends(deaf_times: int) -> bool:
    """Start and stop the thread; gives whether that came to an end, and sees to it that it does."""
    held: list[Consumer] = []

    async def live() -> None:
        consumer = Consumer(deaf_times)
        held.append(consumer)
        cancel_until_done(SimpleNamespace(consumer=SimpleNamespace(_thread=consumer)))
        await consumer.start()
        await consumer.stop()

    runner = threading.Thread(target=lambda: asyncio.run(live()))
    runner.start()
    runner.join(WITHIN_S)
    found = not runner.is_alive()
    while runner.is_alive():
        held[0].thread_loop.call_soon_threadsafe(held[0].deaf.cancel)
        runner.join(0.1)
    return found


def test_a_task_that_takes_a_cancellation_for_another_s_does_not_hold_the_end_up() -> None:
    """Cancelled again, it ends, and the thread with it."""
    assert ends(3)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_task_that_never_ends_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    """After a number of cancellations the thread ends without it, and the log says so."""
    assert ends(2 * CANCELLATIONS)
    assert "leaves behind what does not" in caplog.text


@pytest.mark.parametrize(
    ("function", "digest"),
    [
        (Fetcher._fetch_requests_routine, "2a8ec5932644c9b0"),
        (ServiceThread._serve, "67809eae09573ac7"),
        (ServiceThread._gather_remaining_tasks, "6f65b92dd1012485"),
    ],
)
def test_what_the_mend_replaces_is_what_it_was_written_against(
    function: Callable[..., Any], digest: str
) -> None:
    """Another release makes this fail: read its source, then decide anew."""
    assert hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16] == digest
