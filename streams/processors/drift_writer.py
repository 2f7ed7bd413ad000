"""How the drift worker writes: the steps of a checkpoint, in order, each acknowledged, each only while it owns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from driftline.streams.processors.faust_mends import settle
from driftline.streams.windows.results import encoded

if TYPE_CHECKING:
    from driftline.streams.processors.faust_mends import MonotoneTable
    from driftline.streams.windows.checkpoint import Checkpoint

UNACKNOWLEDGED_BYTES: Final = 4 << 20
"""Bytes sent before their acknowledgements are waited for: a checkpoint of 200 windows would else hold 20 MB twice."""

RECORD_BYTES: Final = 512
"""What a record on its way takes beside its key and value, about: a tombstone has nothing else."""

Outgoing = tuple[str, int | None, bytes, bytes | None]
"""A record to be sent: topic, partition (None: by its key), key, value (None: a tombstone)."""


class LostGroundError(Exception):
    """The worker does not own its partitions any more: throw the working copies away, they are folded again."""


class Writer:
    """Writes checkpoints of several partitions together.

    Args:
        app: the Faust app, for its producer.
        changelog, windows: full names of the topics.
        table: the changelog's contents; holds what is acknowledged.
        owns: whether this worker may still write.
    """

    def __init__(
        self,
        app: Any,  # noqa: ANN401 - what is needed of it is not in faust's types
        changelog: str,
        windows: str,
        table: MonotoneTable,
        owns: Callable[[], bool],
    ) -> None:
        self._app, self._changelog, self._windows, self._table, self._owns = (
            app,
            changelog,
            windows,
            table,
            owns,
        )

    async def write(self, plans: Mapping[int, Checkpoint]) -> None:
        """Carry the steps out (their order and its reason: streams/windows/checkpoint.py).

        Raises:
            LostGroundError: this worker does not own its partitions any more; what was written is harmless.
        """
        states: list[Outgoing] = [
            (self._changelog, p, key, value) for p, one in plans.items() for key, value in one.states
        ]
        results: Iterable[Outgoing] = (
            (self._windows, None, result.deployment.encode(), encoded(result))
            for one in plans.values()
            for result in one.results
        )
        backward = self._backward(plans)
        await self._send(chain(states, results, backward))
        self._table.to_rewrite -= {(p, key) for _, p, key, _ in backward if p is not None}
        await self._send(
            (self._changelog, p, key, value) for p, one in plans.items() for key, value in one.books
        )
        rows = [(p, one.partition_row) for p, one in plans.items() if one.partition_row is not None]
        await self._send((self._changelog, p, key, value) for p, (key, value) in rows)
        await self._send(
            (self._changelog, p, key, None) for p, one in plans.items() for key in one.tombstones
        )
        for one in plans.values():
            self._keep(one)

    def _backward(self, plans: Mapping[int, Checkpoint]) -> list[Outgoing]:
        """Held values that a backward record lies behind in the changelog: they are to be the last ones again."""
        mine = sorted(one for one in self._table.to_rewrite if one[0] in plans)
        return [(self._changelog, p, key, self._table.values.get(key)) for p, key in mine]

    async def _send(self, records: Iterable[Outgoing]) -> None:
        """Send records and wait for all acknowledgements; asked before and after: may this worker write?

        What is on its way is bounded by `UNACKNOWLEDGED_BYTES` and one record more.
        """
        if not self._owns():
            raise LostGroundError
        pending: list[Any] = []
        size = 0
        for topic, partition, key, value in records:
            pending.append(await self._app.producer.send(topic, key, value, partition, None, None))
            size += len(key) + len(value or b"") + RECORD_BYTES
            if size >= UNACKNOWLEDGED_BYTES:
                await self._acknowledged(pending)
                pending, size = [], 0
        if pending:
            await self._acknowledged(pending)

    async def _acknowledged(self, pending: Iterable[Any]) -> None:
        await settle(pending)
        if not self._owns():
            raise LostGroundError

    def _keep(self, written: Checkpoint) -> None:
        self._table.values.update(written.states)
        self._table.values.update(written.books)
        if written.partition_row is not None:
            self._table.values.update([written.partition_row])
        for key in written.tombstones:
            self._table.values.pop(key, None)
