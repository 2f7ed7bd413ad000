"""Cold windows of the accuracy worker: what is offered to the restater, and what becomes of its answers."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from driftline.streams.complaints import say_once
from driftline.streams.processors.backoff import Backoff
from driftline.streams.processors.restater import Restater
from driftline.streams.replay.join_tasks import join_done, join_task, take_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from driftline.schemas.settings import Settings
    from driftline.streams.clickhouse.client import Client
    from driftline.streams.join.dirty import Offsets
    from driftline.streams.join.shard import Shard
    from driftline.streams.metrics import AccuracyMetrics
    from driftline.streams.processors.join_store import Store
    from driftline.streams.processors.terms_book import TermsBook
    from driftline.streams.replay.part import Failure, Part
    from driftline.streams.replay.tasks import JoinTask

logger = logging.getLogger(__name__)


class Restating:
    """Between shards and the restater; for the worker's thread.

    Args:
        settings: addresses, and how often to publish.
        book: by what windows are counted and judged.
        store: where results and state go.
        metrics: where to count.
        acknowledge: tells whether this worker still owns a shard's partition, as the broker sees it.
    """

    def __init__(
        self,
        settings: Settings,
        book: TermsBook,
        store: Store,
        metrics: AccuracyMetrics,
        acknowledge: Callable[[Shard], bool],
    ) -> None:
        self._book, self._store, self._metrics = book, store, metrics
        self._acknowledge = acknowledge
        self._windows = settings.kafka.topic_prefix + "windows"
        self._of: Shard | None = None
        self._is_whole = True
        self._failed: dict[str, Failure] = {}
        self._tried: set[str] = set()
        self._backoff = Backoff()
        self._left: dict[int, tuple[frozenset[str], Offsets]] = {}
        self._restater: Restater[JoinTask] = Restater(settings, self._work)

    def stop(self) -> None:
        """End the thread."""
        self._restater.stop()

    def offer(self, shards: Sequence[Shard]) -> None:
        """Offer what awaits restatement in one of the shards, in turn; each must be as its state was stored."""
        if not self._restater.is_free:
            return
        last = -1 if self._of is None else self._of.partition
        waiting = self._backoff.waiting(time.monotonic())
        for shard in sorted(shards, key=lambda one: (one.partition <= last, one.partition)):
            task = join_task(shard, waiting)
            # What those that wait have left is all that there is: it is not looked at again until one may be tried.
            is_left = task is not None and self._left.get(shard.partition) == (waiting, task.labels)
            if task is not None and (task.late or not is_left):
                self._of, self._is_whole, self._failed, self._tried = shard, True, {}, set()
                self._restater.offer(task)
                return

    def take(self, shards: Mapping[int, Shard]) -> None:
        """Publish what was restated, and take it out of what awaits that; what is of a lost partition is let go.

        Raises:
            KafkaAwayError: the broker stays away.
        """
        taken = self._restater.take()
        if taken is None or self._of is None:
            return
        task, part = taken
        shard = self._of
        if shards.get(task.partition) is not shard:
            return
        if part is not None and part.failure is not None:
            self._note_failed(part.deployment, part.failure)
        elif part is not None:
            self._tried.add(part.deployment)
            results, records, is_whole = take_part(shard, task, part, round(time.time() * 1000))
            # A successor reads the state anew, and restates what is not taken out of it.
            if not self._acknowledge(shard):
                self._is_whole = False
                return
            self._is_whole = self._is_whole and is_whole
            # Days before results: whoever reads the state after a crash has nothing older than what was published.
            self._store.send((self._store.name, shard.partition, name, value) for name, value in records)
            key = part.deployment.encode()
            sent = self._store.send((self._windows, None, key, one.to_bytes()) for one in results)
            self._metrics.restated.inc(sent)
        elif self._is_whole:
            join_done(shard, task, self._failed)
            for name in {*self._tried, *task.late} - self._failed.keys():
                self._backoff.succeeded(name)
            self._left[task.partition] = self._backoff.waiting(time.monotonic()), shard.dirty.copy()

    def _note_failed(self, name: str, failure: Failure) -> None:
        """Leave a deployment for another time; what fails again and again of one cause is said once."""
        self._failed[name] = failure
        if failure.error is None:
            return
        self._metrics.failed.inc()
        if self._backoff.failed(name, failure.error, time.monotonic()):
            say_once(logger, f"cold windows of deployment {name!r} wait, and are tried again", failure.error)

    def _work(self, client: Client, task: JoinTask, settled: Callable[[], None]) -> Iterator[Part]:
        from driftline.streams.replay.restate import restate_join  # noqa: PLC0415 - 31 MB that only late facts need

        return restate_join(client, task, self._book, round(time.time() * 1000), settled)
