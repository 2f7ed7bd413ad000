"""The drift worker between Faust and the pure state: what to fold, and when to checkpoint."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from driftline.schemas.partition import partition_of
from driftline.schemas.refusal import Refused
from driftline.streams.processors.allocator import give_back
from driftline.streams.processors.drift_restating import DriftRestating
from driftline.streams.processors.drift_writer import LostGroundError
from driftline.streams.processors.faust_mends import is_current
from driftline.streams.windows import intake
from driftline.streams.windows.checkpoint import Checkpoint, commit, plan
from driftline.streams.windows.held import decode_pane_key
from driftline.streams.windows.rules import MONTH_DAYS, Rules
from driftline.streams.windows.shard import Shard
from driftline.streams.windows.unprofiled import ask_for_profiled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftline.schemas.settings import Settings
    from driftline.schemas.settings import Worker as WorkerSettings
    from driftline.streams.metrics import DriftMetrics
    from driftline.streams.processors.drift_source import Source
    from driftline.streams.processors.drift_writer import Writer
    from driftline.streams.processors.emitter_watch import EmitterWatch
    from driftline.streams.processors.faust_mends import HeartbeatAge, MonotoneTable
    from driftline.streams.processors.profile_book import ProfileBook

AT_ONCE_BYTES: Final = 4 << 20
"""New states of partitions that are written together: those of 200 deployments, beside the old ones, take 16 MB."""

PARTS_A_TICK: Final = 16
"""Restated parts that are published between two looks at the clock."""

TRIM_S: Final = 1.0
"""How often at most free memory is given back to the system."""


def rules_of(worker: WorkerSettings, partitions: int) -> Rules:
    """Give what a shard is told about time and memory, of one of so many partitions."""
    return Rules(
        out_of_orderness_ms=worker.out_of_orderness_ms,
        hot_windows=worker.hot_windows,
        # A day that takes late rows changes its month, which is the sum of all its days.
        kept_days=worker.hot_windows + MONTH_DAYS,
        publish_seconds=worker.publish_seconds,
        working_bytes=worker.state_bytes // 6 // partitions,
        held_bytes=worker.state_bytes // partitions,
    )


class DriftWorker:
    """Holds the shards of the partitions that this process owns, in one generation of the group.

    Args:
        app: the Faust app, for its state of the group and its commits.
        settings: how often to checkpoint and publish, and the caps.
        table: the changelog's contents, as recovery left them.
        lookups: what the windows are measured against, and who still holds events back.
        heartbeat: how long ago the broker answered.
        source: where to read.
        make_writer: makes the writer, given the question whether this worker may write.
        metrics: where to count.
    """

    def __init__(
        self,
        app: Any,  # noqa: ANN401 - what is needed of it is not in faust's types
        settings: Settings,
        table: MonotoneTable,
        lookups: tuple[ProfileBook, EmitterWatch],
        heartbeat: HeartbeatAge,
        source: Source,
        make_writer: Callable[[Callable[[], bool]], Writer],
        metrics: DriftMetrics,
    ) -> None:
        self._app, self._settings, self._table = app, settings.worker, table
        self._partitions = settings.kafka.partitions
        self._profiles, self._emitters = lookups
        self._heartbeat = heartbeat
        self._source, self._writer, self._metrics = source, make_writer(self._owns), metrics
        self._rules = rules_of(self._settings, self._partitions)
        self._restating = DriftRestating(settings, self._profiles, self._rules, metrics)
        self._shards: dict[int, Shard] = {}
        self._generation = -1
        self._folded_bytes = 0
        self._checkpointed_at = self._trimmed_at = time.monotonic()
        self._caught_up_at: dict[int, float] = {}
        self._lock = asyncio.Lock()

    def forget(self, partition: int) -> None:
        """Drop the state of a partition that another worker owns now."""
        for key in [key for key in self._table.values if self._partition_of(key) == partition]:
            del self._table.values[key]
        self._shards.pop(partition, None)
        self._caught_up_at.pop(partition, None)
        self._source.forget(partition)

    async def take(self, events: Sequence[Any]) -> None:
        """Fold the records of some events, whose messages are bundles, and checkpoint when that is due.

        What cannot be folded now is let go: the gap it leaves has it read again.
        """
        async with self._lock:
            if not self._enter():
                return
            for bundle, record in ((one.message, record) for one in events for record in one.message.records):
                if bundle.generation_id == self._generation:
                    await self._fold(record)
                    if self._is_full():
                        await self._checkpoint()
                        if not self._enter():
                            return
            if self._is_due():
                await self._checkpoint()

    async def tick(self) -> None:
        """What has to happen without messages too: reading again, idle closing, checkpoints in time, gauges."""
        async with self._lock:
            if not self._enter():
                return
            self._load([p for p in self._source.partitions() if p not in self._shards])
            await self._source.overlooked({p: shard.position + 1 for p, shard in self._shards.items()})
            self._close_idle()
            for _ in range(PARTS_A_TICK):
                if not self._restating.take(self._shards):
                    break
                await self._checkpoint()
            if self._is_due():
                await self._checkpoint()

    async def finish(self) -> None:
        """Write and publish what is there, at an orderly stop."""
        async with self._lock:
            if self._enter():
                await self._checkpoint(closing=True)
        self._restating.stop()

    def _enter(self) -> bool:
        """Whether work may be done now; what was worked on in another generation is thrown away."""
        if self._generation != self._app.consumer_generation_id:
            self._drop()
            self._generation = self._app.consumer_generation_id
        if self._owns():
            return True
        self._drop()
        return False

    def _owns(self) -> bool:
        """Whether what is written now cannot come after a successor's writes."""
        fresh = self._heartbeat.seconds < self._settings.session_timeout_ms / 2000
        return fresh and is_current(self._app, self._generation)

    def _drop(self) -> None:
        self._shards.clear()
        self._caught_up_at.clear()
        self._folded_bytes = 0

    def _load(self, partitions: Sequence[int]) -> None:
        """Take up the work of partitions where the changelog says it stands."""
        held: dict[int, dict[bytes, bytes]] = {partition: {} for partition in partitions}
        if not held:
            return
        for key, value in self._table.values.items():
            mine = held.get(self._partition_of(key))
            if mine is not None:
                mine[key] = value
        for partition, values in held.items():
            shard = Shard.load(partition, values, self._profiles, self._rules)
            shard.position = self._source.start_of(partition) - 1
            shard.source_id = self._source.source_id
            self._shards[partition] = shard
            self._metrics.worker.is_stored("predictions", partition)

    def _partition_of(self, key: bytes) -> int:
        if key.startswith(b"r"):
            return int(key[1:])
        deployment = key[1:] if key.startswith(b"d") else decode_pane_key(key).deployment.encode()
        return partition_of(deployment, self._partitions)

    async def _fold(self, record: Any) -> None:  # noqa: ANN401 - aiokafka's record
        if record.partition not in self._shards:
            self._load([record.partition])
        shard = self._shards[record.partition]
        if record.offset != shard.position + 1:
            if record.offset > shard.position + 1:
                await self._source.read_again(shard.partition, shard.position + 1)
            return
        try:
            columns = intake.read(
                record.value,
                record.key,
                record.partition,
                self._partitions,
                record.timestamp,
                self._settings.future_ms,
            )
        except Refused:
            columns = None
        shard.fold(record.offset, columns, record.timestamp)
        self._folded_bytes += len(record.value or b"")

    def _is_due(self) -> bool:
        waited = time.monotonic() - self._checkpointed_at
        return (
            self._folded_bytes >= self._settings.checkpoint_bytes
            or waited >= self._settings.checkpoint_seconds
        )

    def _is_full(self) -> bool:
        """Whether so many windows have been taken up since the last checkpoint that it must not wait for its time.

        A replay walks through more of them in ten seconds than fit; live traffic comes back to the same ones.
        """
        return sum(shard.fresh_bytes for shard in self._shards.values()) >= self._settings.state_bytes // 32

    def _close_idle(self) -> None:
        now, now_ms = time.monotonic(), round(time.time() * 1000)
        idle_s = self._settings.idle_seconds
        for partition, shard in self._shards.items():
            lag = self._source.lag(partition, shard.position + 1)
            if lag is None:
                continue
            self._metrics.lag.labels(partition).set(lag)
            if lag:
                self._caught_up_at.pop(partition, None)
            elif now - self._caught_up_at.setdefault(partition, now) >= idle_s:
                closed = shard.idle(
                    now_ms, round(idle_s * 1000), lambda one: self._emitters.holds_back(one, now_ms)
                )
                if closed:
                    self._checkpointed_at = float("-inf")

    async def _checkpoint(self, *, closing: bool = False) -> None:
        """Write what has changed in every shard, some at a time, or give it all up and fold it again."""
        began, now_ms = time.monotonic(), round(time.time() * 1000)
        self._folded_bytes, self._checkpointed_at = 0, began
        reached: dict[int, int] = {}
        plans: dict[int, Checkpoint] = {}
        size = 0
        try:
            for partition, shard in tuple(self._shards.items()):
                ask_for_profiled(shard)
                written = plan(shard, now_ms, began, closing=closing)
                if written.is_empty:
                    self._metrics.worker.is_stored("predictions", partition)
                    continue
                plans[partition] = written
                size += written.size_bytes
                if size >= AT_ONCE_BYTES:
                    reached |= await self._write(plans)
                    plans, size = {}, 0
            reached |= await self._write(plans)
        except LostGroundError:
            self._metrics.abandoned.inc()
            self._drop()
            return
        if reached:
            self._metrics.checkpoint_seconds.observe(time.monotonic() - began)
        self._restating.offer(self._shards)
        tps = self._source.partitions()
        if began - self._trimmed_at >= TRIM_S:
            self._trimmed_at = began
            give_back()
        committed = {tps[p]: position + 1 for p, position in reached.items() if p in tps}
        if committed:
            await self._app.consumer._commit_offsets(committed)  # noqa: SLF001 - the topic tracks no acks in Faust

    async def _write(self, plans: dict[int, Checkpoint]) -> dict[int, int]:
        """Carry plans out and take them as done; returns the position of each partition.

        Raises:
            LostGroundError: this worker does not own its partitions any more.
        """
        await self._writer.write(plans)
        for partition, written in plans.items():
            commit(self._shards[partition], written)
            self._count(self._shards[partition], written)
        return {partition: written.position for partition, written in plans.items()}

    def _count(self, shard: Shard, written: Checkpoint) -> None:
        metrics, tally, name = self._metrics, shard.tally, shard.partition
        metrics.worker.is_stored("predictions", name)
        metrics.events.labels(name).inc(tally.events)
        metrics.duplicates.labels(name).inc(tally.duplicates)
        metrics.refused.labels(name).inc(tally.refused)
        metrics.late.labels(name).inc(tally.late)
        metrics.unsealed.labels(name).inc(tally.unsealed)
        metrics.forgotten.labels(name).inc(tally.forgotten)
        shard.tally = type(tally)()
        metrics.awaiting.labels(name).set(sum(book.late.total for book in shard.books.values()))
        metrics.state_bytes.labels(name).set(sum(map(len, shard.held.values())))
        for due in written.due:
            metrics.windows.labels(due.resolution).inc()
