"""Cold windows of the accuracy worker: what is offered to the restater, and what becomes of its answers."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from driftline.streams.complaints import Complaints
from driftline.streams.processors.restater import Restater
from driftline.streams.replay.join_tasks import join_done, join_task, take_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from driftline.schemas.settings import Settings
    from driftline.streams.clickhouse.client import Client
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
        self._complaints = Complaints()
        self._restater: Restater[JoinTask] = Restater(settings, self._work)

    def stop(self) -> None:
        """End the thread."""
        self._restater.stop()

    def offer(self, shards: Sequence[Shard]) -> None:
        """Offer what awaits restatement in one of the shards, in turn; each must be as its state was stored."""
        if not self._restater.is_free:
            return
        last = -1 if self._of is None else self._of.partition
        for shard in sorted(shards, key=lambda one: (one.partition <= last, one.partition)):
            task = join_task(shard)
            if task is not None:
                self._of, self._is_whole, self._failed = shard, True, {}
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
            self._failed[part.deployment] = part.failure
            self._metrics.failed.inc()
            what = f"cold windows of deployment {part.deployment!r} wait"
            self._complaints.say(logger, what, part.failure.error, time.monotonic())
        elif part is not None:
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

    def _work(self, client: Client, task: JoinTask, settled: Callable[[], None]) -> Iterator[Part]:
        from driftline.streams.replay.restate import restate_join  # noqa: PLC0415 - 31 MB that only late facts need

        return restate_join(client, task, self._book, round(time.time() * 1000), settled)
