"""Where the drift worker reads: from its state on, without a gap, whatever Faust skips on the way."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from driftline.streams.windows.held import StateError, partition_key, unseal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.streams.metrics import DriftMetrics

logger = logging.getLogger(__name__)

GAP_PATIENCE_S: Final = 30.0
"""How long the log may be read again for an offset that does not come before the worker gives up and restarts."""

SEEK_S: Final = 1.0
"""How often at most the same offset is sought: each seek throws away what was fetched ahead."""

STALL_S: Final = 3.0
"""How long nothing may arrive from a partition that has more before it is read again from where the state stands."""


class Source:
    """The assigned partitions of `predictions`: where to start, how far behind, and reading again.

    A message that Faust drops (a batch taken while the group changed, a queue cleared) leaves a gap, seen at the next
    message, or a silence, seen by `overlooked`; both end in a seek to the next offset that the state wants.

    Args:
        app: the Faust app.
        topic: full name of the source topic.
        values: the changelog's contents.
        metrics: where gaps and losses are counted.
        source_id: the topic's id, which the state must have been made from; empty to leave it unchecked.
    """

    def __init__(
        self,
        app: Any,  # noqa: ANN401 - what is needed of it is not in faust's types
        topic: str,
        values: Mapping[bytes, bytes],
        metrics: DriftMetrics,
        source_id: bytes = b"",
    ) -> None:
        self._app, self._topic, self._values, self._metrics = app, topic, values, metrics
        self.source_id = source_id
        self._starts: dict[int, int] = {}
        self._sought: dict[int, tuple[int, float]] = {}
        self._wanted_since: dict[int, tuple[int, float]] = {}

    def starts(self, first: Mapping[int, int]) -> dict[int, int]:
        """Where to start reading each partition: after its partition row, or where the log begins.

        Args:
            first: the first offset that the log still has, by partition.
        """
        for partition, begins in first.items():
            row = self._row(partition)
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
        """Another worker owns the partition now: what is known and told of it goes."""
        self._starts.pop(partition, None)
        self._wanted_since.pop(partition, None)
        self._sought.pop(partition, None)
        self._metrics.worker.forget("predictions", partition)
        for gauge in (self._metrics.lag, self._metrics.awaiting, self._metrics.state_bytes):
            with contextlib.suppress(KeyError):
                gauge.remove(str(partition))

    def start_of(self, partition: int) -> int:
        """The offset that a shard loaded now wants first."""
        return max(self._row(partition) + 1, self._starts.get(partition, 0))

    def partitions(self) -> dict[int, Any]:
        """Faust's names of the assigned partitions, by number."""
        return {tp.partition: tp for tp in self._app.consumer.assignment() if tp.topic == self._topic}

    def lag(self, partition: int, wanted: int) -> int | None:
        """Messages from the wanted offset to the end of the log; None while the consumer does not know its end."""
        tp = self.partitions().get(partition)
        end = None if tp is None else self._app.consumer.highwater(tp)
        return None if end is None else max(0, end - wanted)

    async def read_again(self, partition: int, wanted: int) -> None:
        """Seek to the wanted offset, if that was not done just now.

        Raises:
            RuntimeError: it has been wanted for `GAP_PATIENCE_S` and does not come; a restart begins anew.
        """
        tp = self.partitions().get(partition)
        if tp is None:
            return
        now = time.monotonic()
        since = self._since(partition, wanted, now)
        offset, sought_at = self._sought.get(partition, (-1, 0.0))
        if offset == wanted and now - sought_at < SEEK_S:
            return
        self._sought[partition] = (wanted, now)
        self._metrics.gaps.labels(partition).inc()
        if now - since > GAP_PATIENCE_S:
            message = f"offset {wanted} of {tp.topic} {partition} does not come: restarting from the state"
            raise RuntimeError(message)
        await self._app.consumer.seek_wait({tp: wanted})

    async def overlooked(self, wanted: Mapping[int, int]) -> None:
        """Read again what should have come and did not: the log has more, and nothing has arrived for a while.

        Args:
            wanted: the next offset of each loaded shard; other partitions want their start.
        """
        now = time.monotonic()
        for partition in self.partitions():
            offset = wanted.get(partition, self.start_of(partition))
            if not self.lag(partition, offset):
                self._wanted_since.pop(partition, None)
            elif now - self._since(partition, offset, now) > STALL_S:
                await self.read_again(partition, offset)

    def _since(self, partition: int, wanted: int, now: float) -> float:
        """When this offset was wanted first."""
        known = self._wanted_since.get(partition)
        if known is None or known[0] != wanted:
            self._wanted_since[partition] = (wanted, now)
            return now
        return known[1]

    def _row(self, partition: int) -> int:
        held = self._values.get(partition_key(partition))
        if held is None:
            return -1
        absorbed, _, made_from = unseal(partition_key(partition), held)
        if self.source_id and made_from and made_from != self.source_id:
            message = (
                f"topic {self._topic!r} is another one (id {self.source_id.decode()}) than the state was made from "
                f"(id {made_from.decode()}): its offsets begin anew, so use another DRIFTLINE_KAFKA_TOPIC_PREFIX or "
                "delete this role's changelog topic"
            )
            raise StateError(message)
        return absorbed
