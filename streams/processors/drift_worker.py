"""The drift worker between Faust and the pure state: what to fold, when to checkpoint, and in which order to write.

The order of a checkpoint stands in `streams/windows/checkpoint.py`; here each step is carried out, and between two
steps the worker asks whether it still owns what it writes for.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from driftline.schemas.partition import partition_of
from driftline.schemas.refusal import Refused
from driftline.streams.processors.faust_mends import is_current, settle
from driftline.streams.windows import intake
from driftline.streams.windows.checkpoint import Checkpoint, commit, plan
from driftline.streams.windows.held import decode_pane_key, partition_key, unseal
from driftline.streams.windows.shard import Rules, Shard

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from driftline.schemas.settings import Settings
    from driftline.streams.metrics import DriftMetrics
    from driftline.streams.processors.emitter_watch import EmitterWatch
    from driftline.streams.processors.faust_mends import HeartbeatAge, MonotoneTable
    from driftline.streams.processors.profile_book import ProfileBook

logger = logging.getLogger(__name__)

GAP_PATIENCE_S: Final = 30.0
"""How long the log may be read again for an offset that does not come before the worker gives up and restarts."""


Outgoing = tuple[str, int | None, bytes, bytes | None]
"""A record to be sent: topic, partition (None: by its key), key, value (None: a tombstone)."""


class LostGroundError(Exception):
    """The worker does not own its partitions any more: throw the working copies away, they are folded again."""


class DriftWorker:
    """Holds the shards of the partitions that this process owns, in one generation of the group.

    Args:
        app: the Faust app, for its state of the group, its producer and its commits.
        settings: how often to checkpoint and publish, and the caps.
        topics: full names of the source, changelog and windows topics.
        table: the changelog's contents, as recovery left them.
        profiles, emitters: what the windows are measured against, and who still holds events back.
        heartbeat: how long ago the broker answered.
        metrics: where to count.
    """

    def __init__(
        self,
        app: Any,  # noqa: ANN401 - what is needed of it is not in faust's types
        settings: Settings,
        topics: Mapping[str, str],
        table: MonotoneTable,
        profiles: ProfileBook,
        emitters: EmitterWatch,
        heartbeat: HeartbeatAge,
        metrics: DriftMetrics,
    ) -> None:
        self._app, self._settings, self._topics, self._table = app, settings, topics, table
        self._profiles, self._emitters, self._heartbeat, self._metrics = (
            profiles,
            emitters,
            heartbeat,
            metrics,
        )
        worker = settings.worker
        self._rules = Rules(
            out_of_orderness_ms=worker.out_of_orderness_ms,
            hot_windows=worker.hot_windows,
            publish_seconds=worker.publish_seconds,
            working_bytes=worker.state_bytes // 4,
            held_bytes=worker.state_bytes,
        )
        self._shards: dict[int, Shard] = {}
        self._starts: dict[int, int] = {}
        self._generation = -1
        self._folded_bytes = 0
        self._checkpointed_at = time.monotonic()
        self._caught_up_at: dict[int, float] = {}
        self._gap_since: dict[int, float] = {}
        self._lock = asyncio.Lock()

    def starts(self, first: Mapping[int, int]) -> dict[int, int]:
        """Where to start reading each partition: after its partition row, or where the log begins."""
        for partition, begins in first.items():
            held = self._table.values.get(partition_key(partition))
            row = -1 if held is None else unseal(partition_key(partition), held)[0]
            if begins > row + 1 and row >= 0:
                self._metrics.lost.labels(partition).inc(begins - row - 1)
                logger.error(
                    "partition %d: retention removed %d messages before they were read (offsets %d to %d): "
                    "windows of that time are too low; going on from the log's start",
                    partition,
                    begins - row - 1,
                    row + 1,
                    begins - 1,
                )
            self._starts[partition] = max(row + 1, begins)
        return {partition: self._starts[partition] for partition in first}

    def forget(self, partition: int) -> None:
        """Drop the state of a partition that another worker owns now."""
        for key in [key for key in self._table.values if self._partition_of(key) == partition]:
            del self._table.values[key]
        self._shards.pop(partition, None)

    async def take(self, events: Sequence[Any]) -> None:
        """Fold a batch of events, and checkpoint when that is due."""
        async with self._lock:
            generation = self._app.consumer_generation_id
            if not self._owns(generation):
                self._drop()
                return
            if generation != self._generation:
                self._drop()
                self._generation = generation
            for event in events:
                message = event.message
                if message.generation_id == generation:
                    await self._fold(message)
            if self._is_due():
                await self._checkpoint()

    async def tick(self) -> None:
        """What has to happen without messages too: idle closing, checkpoints in time, gauges."""
        async with self._lock:
            if self._generation != self._app.consumer_generation_id or not self._owns(self._generation):
                return
            self._close_idle()
            if self._is_due():
                await self._checkpoint()

    async def finish(self) -> None:
        """Write and publish what is there, at an orderly stop."""
        async with self._lock:
            if self._generation == self._app.consumer_generation_id and self._owns(self._generation):
                await self._checkpoint(closing=True)

    def _owns(self, generation: int) -> bool:
        """Whether what is written now cannot come after a successor's writes."""
        fresh = self._heartbeat.seconds < self._settings.worker.session_timeout_ms / 2000
        return fresh and is_current(self._app, generation)

    def _drop(self) -> None:
        self._shards.clear()
        self._folded_bytes = 0

    def _shard(self, partition: int) -> Shard:
        shard = self._shards.get(partition)
        if shard is None:
            held = {
                key: value
                for key, value in self._table.values.items()
                if self._partition_of(key) == partition
            }
            shard = Shard.load(partition, held, self._profiles, self._rules)
            shard.position = max(shard.position, self._starts.get(partition, 0) - 1)
            self._shards[partition] = shard
        return shard

    def _partition_of(self, key: bytes) -> int:
        if key.startswith(b"r"):
            return int(key[1:])
        deployment = key[1:] if key.startswith(b"d") else decode_pane_key(key).deployment.encode()
        return partition_of(deployment, self._settings.kafka.partitions)

    async def _fold(self, message: Any) -> None:  # noqa: ANN401 - faust's message
        partition = message.partition
        shard = self._shard(partition)
        if message.offset != shard.position + 1:
            if message.offset > shard.position + 1:
                await self._read_again(message.tp, shard)
            return
        self._gap_since.pop(partition, None)
        record_time_ms = round(message.timestamp * 1000)
        try:
            columns = intake.read(
                message.value,
                message.key,
                partition,
                self._settings.kafka.partitions,
                record_time_ms,
                self._settings.worker.future_ms,
            )
        except Refused:
            columns = None
        shard.fold(message.offset, columns, record_time_ms)
        self._folded_bytes += len(message.value or b"")

    async def _read_again(self, tp: Any, shard: Shard) -> None:  # noqa: ANN401 - faust's TP
        """An offset above the next one: something was skipped on the way; read from the next one again."""
        now = time.monotonic()
        since = self._gap_since.setdefault(shard.partition, now)
        self._metrics.gaps.labels(shard.partition).inc()
        if now - since > GAP_PATIENCE_S:
            message = f"offset {shard.position + 1} of {tp.topic} {tp.partition} does not come: restarting from state"
            raise RuntimeError(message)
        await self._app.consumer.seek_wait({tp: shard.position + 1})

    def _is_due(self) -> bool:
        worker = self._settings.worker
        waited = time.monotonic() - self._checkpointed_at
        return self._folded_bytes >= worker.checkpoint_bytes or waited >= worker.checkpoint_seconds

    def _close_idle(self) -> None:
        now, now_ms = time.monotonic(), round(time.time() * 1000)
        idle_s = self._settings.worker.idle_seconds
        closed = False
        for partition, shard in self._shards.items():
            lag = self._lag(partition)
            self._metrics.lag.labels(partition).set(lag)
            if lag:
                self._caught_up_at.pop(partition, None)
            elif now - self._caught_up_at.setdefault(partition, now) >= idle_s:
                before = len(shard.changed)
                shard.idle(now_ms, round(idle_s * 1000), lambda name: self._emitters.holds_back(name, now_ms))
                closed = closed or len(shard.changed) > before
        if closed:
            self._checkpointed_at = float("-inf")

    def _lag(self, partition: int) -> int:
        end = None
        for tp in self._app.consumer.assignment():
            if tp.topic == self._topics["predictions"] and tp.partition == partition:
                end = self._app.consumer.highwater(tp)
        return max(0, (end or 0) - self._shards[partition].position - 1)

    async def _checkpoint(self, *, closing: bool = False) -> None:
        """Carry out the steps of a checkpoint for every shard, or give it up whole."""
        began = time.monotonic()
        now_ms = round(time.time() * 1000)
        plans = {
            partition: plan(shard, now_ms, began, closing=closing)
            for partition, shard in self._shards.items()
        }
        plans = {partition: written for partition, written in plans.items() if not written.is_empty}
        self._folded_bytes = 0
        self._checkpointed_at = began
        try:
            await self._write(plans)
        except LostGroundError:
            self._metrics.abandoned.inc()
            self._drop()
            return
        for partition, written in plans.items():
            self._settle(partition, written)
        self._metrics.checkpoint_seconds.observe(time.monotonic() - began)
        tps = {
            tp.partition: tp
            for tp in self._app.consumer.assignment()
            if tp.topic == self._topics["predictions"]
        }
        committed = {
            tps[partition]: written.position + 1 for partition, written in plans.items() if partition in tps
        }
        if committed:
            await self._app.consumer._commit_offsets(committed)  # noqa: SLF001 - acks of a topic without ack tracking

    async def _write(self, plans: Mapping[int, Checkpoint]) -> None:
        changelog = self._topics["changelog"]
        first: list[Outgoing] = [
            (changelog, p, key, value) for p, one in plans.items() for key, value in one.states
        ]
        first += [
            (self._topics["windows"], None, result.deployment.encode(), result.to_bytes())
            for one in plans.values()
            for result in one.results
        ]
        first += [(changelog, p, key, self._table.values[key]) for p, key in self._backward(plans)]
        await self._send(first)
        await self._send([(changelog, p, key, value) for p, one in plans.items() for key, value in one.books])
        rows = [(p, one.partition_row) for p, one in plans.items() if one.partition_row is not None]
        await self._send([(changelog, p, key, value) for p, (key, value) in rows])
        await self._send([(changelog, p, key, None) for p, one in plans.items() for key in one.tombstones])

    def _backward(self, plans: Mapping[int, Checkpoint]) -> list[tuple[int, bytes]]:
        """Held values that a backward record lies behind in the changelog: they are to be the last ones again."""
        mine = [(p, key) for p, key in self._table.to_rewrite if p in plans]
        self._table.to_rewrite.difference_update(mine)
        return [(p, key) for p, key in mine if key in self._table.values]

    async def _send(self, records: Iterable[Outgoing]) -> None:
        """Send records and wait for all acknowledgements; then ask whether this worker may go on."""
        if not self._owns(self._generation):
            raise LostGroundError
        producer = self._app.producer
        pending = [await producer.send(topic, key, value, p, None, None) for topic, p, key, value in records]
        await settle(pending)
        if not self._owns(self._generation):
            raise LostGroundError

    def _settle(self, partition: int, written: Checkpoint) -> None:
        """The checkpoint is acknowledged: it is the state now."""
        shard = self._shards[partition]
        commit(shard, written)
        self._table.values.update(written.states)
        self._table.values.update(written.books)
        if written.partition_row is not None:
            self._table.values.update([written.partition_row])
        for key in written.tombstones:
            self._table.values.pop(key, None)
        self._count(shard, written)

    def _count(self, shard: Shard, written: Checkpoint) -> None:
        metrics, tally, name = self._metrics, shard.tally, shard.partition
        metrics.events.labels(name).inc(tally.events)
        metrics.duplicates.labels(name).inc(tally.duplicates)
        metrics.refused.labels(name).inc(tally.refused)
        metrics.late.labels(name).inc(tally.late)
        metrics.unsealed.labels(name).inc(tally.unsealed)
        shard.tally = type(tally)()
        metrics.awaiting.labels(name).set(sum(book.late.total for book in shard.books.values()))
        metrics.state_bytes.labels(name).set(sum(map(len, shard.held.values())))
        for result in written.results:
            metrics.windows.labels(result.resolution).inc()
