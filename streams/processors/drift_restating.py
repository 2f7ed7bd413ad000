"""Cold windows of the drift worker: what is offered to the restater, and what becomes of its answers."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from driftline.streams.clickhouse.errors import ClickHouseAwayError
from driftline.streams.complaints import say_once
from driftline.streams.processors.backoff import Backoff
from driftline.streams.processors.restater import Restater
from driftline.streams.replay.drift_tasks import drift_done, drift_task, take_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from driftline.schemas.settings import Settings
    from driftline.streams.clickhouse.client import Client
    from driftline.streams.metrics import DriftMetrics
    from driftline.streams.processors.profile_book import ProfileBook
    from driftline.streams.replay.part import Part
    from driftline.streams.replay.tasks import DriftTask
    from driftline.streams.windows.rules import Rules
    from driftline.streams.windows.shard import Shard

logger = logging.getLogger(__name__)


class DriftRestating:
    """Between shards and the restater; for the worker's event loop.

    Args:
        settings: addresses, and how often to publish.
        profiles: what windows are measured against.
        rules: what they are judged by.
        metrics: where to count.
    """

    def __init__(
        self, settings: Settings, profiles: ProfileBook, rules: Rules, metrics: DriftMetrics
    ) -> None:
        self._profiles, self._rules, self._metrics = profiles, rules, metrics
        self._of: tuple[Shard, str] | None = None
        self._is_whole = True
        self._backoff = Backoff()
        self._restater: Restater[DriftTask] = Restater(settings, self._work, self._note_failed)

    def stop(self) -> None:
        """End the thread."""
        self._restater.stop()

    def offer(self, shards: Mapping[int, Shard]) -> None:
        """Offer the late rows of one deployment, in turn; of shards that are as their state was stored."""
        if not self._restater.is_free:
            return
        names = [(partition, name) for partition, shard in shards.items() for name in shard.books]
        last, now_s = (-1, "") if self._of is None else (self._of[0].partition, self._of[1]), time.monotonic()
        for partition, name in sorted(names, key=lambda one: (one <= last, one)):
            if self._backoff.waits(name, now_s):
                continue
            task = drift_task(shards[partition], name)
            if task is not None:
                self._of, self._is_whole = (shards[partition], name), True
                self._restater.offer(task)
                return

    def take(self, shards: Mapping[int, Shard]) -> bool:
        """Take in what was restated; tells whether there is something to publish. What is of a lost shard is let go."""
        taken = self._restater.take()
        if taken is None or self._of is None:
            return False
        task, part = taken
        shard = self._of[0]
        if shards.get(task.partition) is not shard:
            return False
        if part is not None:
            self._is_whole = take_part(shard, task, part) and self._is_whole
            self._metrics.restated.inc(len(part.results))
        elif self._is_whole:
            drift_done(shard, task)
            self._backoff.succeeded(task.deployment)
        return True

    def _note_failed(self, task: DriftTask, error: Exception) -> bool:
        """Let a deployment wait whose windows could not be counted; gives whether the thread is to say so."""
        if isinstance(error, ClickHouseAwayError):  # all wait for that
            return True
        name = task.deployment
        if self._backoff.failed(name, error, time.monotonic()):
            say_once(logger, f"cold windows of deployment {name!r} wait, and are tried again", error)
        return False

    def _work(self, client: Client, task: DriftTask, settled: Callable[[], None]) -> Iterator[Part]:
        from driftline.streams.replay.restate import restate_drift  # noqa: PLC0415 - 31 MB that only late facts need

        return restate_drift(client, task, self._profiles, self._rules, round(time.time() * 1000), settled)
