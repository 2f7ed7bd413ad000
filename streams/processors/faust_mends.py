"""What Faust needs so that a message is counted once: each mend with its reason and the release it holds for.

Measured without them: 5-14 % of the messages lost over rebalances and kills. Nothing is patched at import, and every
mend touches one object of one app, but for two of aiokafka, which are the process's: its reader limit, and how it reads
records (`faust_records`). A test fails when another Faust makes a mend needless or wrong.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from aiokafka import conn as aiokafka_conn

from driftline.streams.windows.held import is_backward

if TYPE_CHECKING:
    from faust.types import TP

# The mends reach into what faust's own types do not show.
App = Any

HOLDS_FOR = "0.15.3"
"""The release of faust-streaming whose source these mends were written against."""


def suspend_before_resuming(app: App) -> None:
    """Close the flow before partitions are resumed at the end of a recovery.

    Faust resumes the source partitions first and seeks afterwards, so messages of the old position reach the
    agent in between (faust#596).
    """
    recovery = app.tables.recovery
    completed = recovery.on_recovery_completed

    async def on_recovery_completed(generation_id: int = 0) -> None:
        app.flow_control.suspend()
        app.consumer.stop_flow()
        await completed(generation_id)

    recovery.on_recovery_completed = on_recovery_completed


class MonotoneTable:
    """Recovery that never goes back: of two values of a key the longer prefix of the log is kept.

    Faust replays a changelog over the live table in the order of writing. A paused worker that wrote after its
    successor would win, and compaction would then remove the better value for ever. Such a backward record is
    ignored, and the value that was held is remembered in `to_rewrite`, so that it becomes the last one again.
    """

    def __init__(self, table: Any) -> None:  # noqa: ANN401 - faust's tables are untyped
        self.values: MutableMapping[bytes, bytes] = table.data
        self.to_rewrite: set[tuple[int, bytes]] = set()
        table.apply_changelog_batch = self.apply

    def apply(self, batch: Iterable[Any]) -> None:
        """Take a batch of changelog events into the table."""
        for event in batch:
            message = event.message
            key, value = message.key, message.value
            held = self.values.get(key)
            if value is None:
                self.values.pop(key, None)
            elif is_backward(held, value):
                self.to_rewrite.add((message.partition, key))
                continue
            else:
                self.values[key] = value
            self.to_rewrite.discard((message.partition, key))


def forget_revoked(app: App, forget: Callable[[int], None]) -> None:
    """Drop a partition's keys exactly when Faust forgets how far its changelog was read.

    Only both together are safe: keys without an offset would hide tombstones written meanwhile, an offset without
    keys would skip the values.
    """
    recovery = app.tables.recovery
    revoke = recovery.revoke

    def revoke_and_forget(tp: TP) -> None:
        revoke(tp)
        if tp.topic in app.tables.changelog_topics:
            forget(tp.partition)

    recovery.revoke = revoke_and_forget


def seek_to_state(app: App, topic: str, start_of: Callable[[Mapping[int, int]], Mapping[int, int]]) -> None:
    """Start each source partition where its state stands, whatever the group has committed.

    Args:
        app: the Faust app.
        topic: the source topic.
        start_of: given the first offset that the log still has, by partition, says where to start reading.
    """
    consumer = app.consumer

    async def perform_seek() -> None:
        tps = [tp for tp in consumer.assignment() if tp.topic == topic]
        if not tps:
            return
        first = await consumer.earliest_offsets(*tps)
        starts = start_of({tp.partition: first.get(tp) or 0 for tp in tps})
        await consumer.seek_wait({tp: starts[tp.partition] for tp in tps})

    consumer.perform_seek = perform_seek


class HeartbeatAge:
    """How long ago the broker last answered a heartbeat: a paused owner finds out that it was paused.

    Faust and aiokafka keep that time to themselves, so the coordinator's heartbeat is wrapped when the consumer
    starts. Until the first answer of a membership the time of joining counts.
    """

    def __init__(self, app: App) -> None:
        self._answered_at = time.monotonic()
        thread = app.consumer._thread  # noqa: SLF001 - no public way to aiokafka's coordinator
        start = thread.on_start

        async def on_start() -> None:
            await start()
            coordinator = thread._consumer._coordinator  # noqa: SLF001 - as above
            beat = coordinator._do_heartbeat  # noqa: SLF001 - as above

            async def heartbeat() -> bool:
                answered: bool = await beat()
                if answered:
                    self.joined()
                return answered

            coordinator._do_heartbeat = heartbeat  # noqa: SLF001 - as above

        thread.on_start = on_start

    def joined(self) -> None:
        """The broker has just named this worker a member."""
        self._answered_at = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the last answer."""
        return time.monotonic() - self._answered_at


def drain_eagerly(app: App) -> None:
    """Hand a message to the stream without two asyncio tasks for each.

    `Consumer._drain_messages` races the callback against the suspension of the flow with `wait_first`: 45 µs a
    message. The callback almost never has to wait, so its first step is taken at once, and only what is left of it
    is raced.
    """
    consumer = app.consumer
    wait_first = consumer.wait_first
    callback = consumer.callback

    async def quick_wait_first(*waited: Any, **options: Any) -> Any:  # noqa: ANN401 - faust's signature
        first, *rest = waited
        if isinstance(first, _Done):
            for coroutine in rest:
                coroutine.close()
            return None
        return await wait_first(*waited, **options)

    def quick_callback(message: Any) -> Any:  # noqa: ANN401 - faust's signature
        step = callback(message)
        try:
            waits_for = step.send(None)
        except StopIteration:
            return _DONE
        return _rest_of(step, waits_for)

    consumer.callback = quick_callback
    consumer.wait_first = quick_wait_first


class _Done:
    """Marks a callback that has already run to its end."""

    __slots__ = ()


_DONE = _Done()


async def _rest_of(step: Generator[Any, Any, Any], waits_for: Any) -> None:  # noqa: ANN401 - a future or None
    await _Steps(step, waits_for)


class _Steps(Awaitable[None]):
    """Goes on with a coroutine whose first step was taken, passing on what it waits for."""

    def __init__(self, step: Any, waits_for: Any) -> None:  # noqa: ANN401 - coroutine internals
        self._step, self._waits_for = step, waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        waits_for = self._waits_for
        while True:
            try:
                value = yield waits_for
            except BaseException as error:  # noqa: BLE001 - whatever comes, cancellation too, is the coroutine's
                resume, argument = self._step.throw, error
            else:
                resume, argument = self._step.send, value
            try:
                waits_for = resume(argument)
            except StopIteration:
                return


def wait_where_it_is_full(app: App) -> None:
    """Let a full stream buffer hold up the one message that does not fit, and nothing else.

    At four fifths of the buffer Faust stops asking for the partition. When all of them are stopped it sleeps for a
    second whatever happens meanwhile, and the worker, done in a quarter of that, stands still: two workers were no
    faster than one. The buffer's own bound stays: a message that does not fit waits, raced against the suspension.

    After a seek that message, and the rest of its batch, still come, and move Faust's read offset past what was
    sought: the first seek of a full buffer may be in vain, and the next one, a second later, is not.
    """

    def go_on(_partition: TP) -> None:
        """Neither stop asking for the partition, nor begin again."""

    app.consumer.on_buffer_full = go_on
    app.consumer.on_buffer_drop = go_on


def read_whole_fetches(fetch_bytes: int) -> None:
    """Let a fetch be received without pausing the socket once every 128 KB.

    aiokafka waits for a whole answer with `StreamReader.readexactly`, whose buffer is limited to 64 KB: past twice
    that asyncio takes the socket out of its selector, and puts it back because the answer is not whole yet, a pair
    of system calls for every chunk. The buffer holds one whole answer either way; only the thrashing goes.
    aiokafka keeps the limit in its module.

    Args:
        fetch_bytes: the greatest answer to a fetch, bytes.
    """
    aiokafka_conn.READER_LIMIT = max(fetch_bytes, aiokafka_conn.READER_LIMIT)


def is_current(app: App, generation: int) -> bool:
    """Whether this worker still owns, undisturbed, what it owned in that generation of the group.

    Tested after every await, before state or acknowledgement is written: a taken batch can be held across a
    rebalance while recovery replays older values over the live table.
    """
    return (
        generation == app.consumer_generation_id
        and not app.rebalancing
        and not app.in_recovery
        and bool(app.flow_control.is_active())
    )


async def settle(futures: Iterable[Awaitable[Any]]) -> None:
    """Wait until the broker has acknowledged all of them; the first failure is raised."""
    await asyncio.gather(*futures)


__all__ = [
    "HOLDS_FOR",
    "HeartbeatAge",
    "MonotoneTable",
    "drain_eagerly",
    "forget_revoked",
    "is_current",
    "read_whole_fetches",
    "seek_to_state",
    "settle",
    "suspend_before_resuming",
    "wait_where_it_is_full",
]
