"""Restater: the thread beside a worker that counts cold windows again, so that a slow ClickHouse slows nothing hot.

The worker offers a task when the thread is free, and takes what was counted part by part, when it has time. It
publishes and stores; the thread only reads, and its first task loads what it reads with. A task that cannot be done
now is forgotten: what it was made from still stands in the worker's state, and is offered again.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from confluent_kafka import Consumer, TopicPartition

from driftline.schemas.clients import consumer_config
from driftline.schemas.reach import QUIET
from driftline.streams.archive.takeover import bounds
from driftline.streams.complaints import Complaints

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings
    from driftline.streams.clickhouse.client import Client
    from driftline.streams.replay.part import Part
    from driftline.streams.replay.tasks import DriftTask, JoinTask

logger = logging.getLogger(__name__)

Task = TypeVar("Task", "DriftTask", "JoinTask")

PARTS: Final = 2
"""Parts that wait to be taken."""
LOOK_S: Final = 0.5
STORED_S: Final = 60.0
"""How long the archive may take for windows that are published."""
REST_MAX_S: Final = 30.0
"""The longest rest after a task: what came meanwhile waits no longer for one that took minutes."""
STOP_S: Final = 5.0


class Taken(NamedTuple, Generic[Task]):
    """What the thread has: a part of a task, or with None the word that all of it was given."""

    task: Task
    part: Part | None


class Restater(Generic[Task]):
    """One thread, one task at a time; it begins with the first.

    Args:
        settings: where the archive is, and how often to publish.
        work: counts a task again, part by part; the last argument waits until the archive holds what was published.
        failed: told in the thread of what could not be done; gives whether that is to be said.
    """

    def __init__(
        self,
        settings: Settings,
        work: Callable[[Client, Task, Callable[[], None]], Iterator[Part]],
        failed: Callable[[Task, Exception], bool] = lambda _task, _error: True,
    ) -> None:
        self._settings = settings
        self._failed: Callable[[Task, Exception], bool] = failed
        self._work: Callable[[Client, Task, Callable[[], None]], Iterator[Part]] = work
        self._tasks: queue.Queue[Task] = queue.Queue(1)
        self._parts: queue.Queue[Taken[Task]] = queue.Queue(PARTS)
        self._stopping = threading.Event()
        self._free = threading.Event()
        self._free.set()
        self._rests_until = 0.0
        self._complaints = Complaints()
        self._thread = threading.Thread(target=self._run, name="restater", daemon=True)

    def stop(self) -> None:
        """End the thread; one that waits for ClickHouse ends with the process."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    @property
    def is_free(self) -> bool:
        """Whether a task may be offered: none is at work, none waits to be taken, and the thread has rested.

        It rests as long as it worked, up to `REST_MAX_S`, and no less than windows are published apart: restatements
        are coalesced.
        """
        return self._free.is_set() and self._parts.empty() and time.monotonic() >= self._rests_until

    def offer(self, task: Task) -> None:
        """Give a task to a thread that is free; the first one starts it."""
        if not self._thread.is_alive():
            self._thread.start()
        self._free.clear()
        self._tasks.put_nowait(task)

    def take(self) -> Taken[Task] | None:
        """Give the next part that was counted; None when there is none now."""
        try:
            return self._parts.get_nowait()
        except queue.Empty:
            return None

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                task = self._tasks.get(timeout=LOOK_S)
            except queue.Empty:
                continue
            began = time.monotonic()
            try:
                self._do(task)
            except Exception as error:  # noqa: BLE001 - it must not end the hot path; the task is offered again
                if self._failed(task, error):
                    what = f"partition {task.partition}: cold windows wait"
                    self._complaints.say(logger, what, error, time.monotonic())
            now = time.monotonic()
            rest_s = min(now - began, REST_MAX_S)
            self._rests_until = now + max(rest_s, self._settings.worker.publish_seconds)
            self._free.set()

    def _do(self, task: Task) -> None:
        from driftline.streams.clickhouse import reads  # noqa: PLC0415 - 31 MB that only late facts need
        from driftline.streams.clickhouse.client import Client  # noqa: PLC0415 - likewise

        for topic, wanted in zip(("predictions", "labels"), task.positions, strict=True):
            if reads.positions(self._settings, topic).get(task.partition, -1) < wanted:
                return
        with Client(self._settings.clickhouse) as client:
            for part in self._work(client, task, lambda: self._wait_for_windows(task.partition)):
                if not self._put(Taken(task, part)):
                    return
        self._put(Taken(task, None))

    def _put(self, taken: Taken[Task]) -> bool:
        """Wait until there is room; False when the thread is told to stop."""
        while not self._stopping.is_set():
            try:
                self._parts.put(taken, timeout=LOOK_S)
            except queue.Full:
                continue
            return True
        return False

    def _wait_for_windows(self, partition: int) -> None:
        """Wait until the archive holds every window published so far; raises ClickHouseError when it takes too long."""
        from driftline.streams.clickhouse import reads  # noqa: PLC0415 - 31 MB that only late facts need

        consumer = Consumer(
            consumer_config(self._settings.kafka, "driftline-restater") | {"log_level": QUIET}
        )
        try:
            name = self._settings.kafka.topic_prefix + "windows"
            low, end = bounds(consumer, TopicPartition(name, partition))
        finally:
            consumer.close()
        reads.wait_until(
            lambda: low == end or reads.positions(self._settings, "windows").get(partition, -1) >= end - 1,
            seconds=STORED_S,
            what="that the archive holds the windows published so far",
        )
