"""The mends: what each one changes, and the Faust it was written against."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator
from faust.stores.memory import Store
from faust.tables.recovery import Recovery
from faust.transport._cython.conductor import ConductorHandler
from faust.transport.consumer import Consumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP

from driftline.streams.processors import faust_mends as mends
from driftline.streams.windows.held import seal

MENDED = [
    (Recovery.on_recovery_completed, "6ef567acf072e46d"),
    (Recovery.revoke, "779302ebfab0b2db"),
    (Recovery.on_rebalance, "aa4d997a1795ceae"),
    (Store.apply_changelog_batch, "71863e3cd727aac2"),
    (Consumer.perform_seek, "0e8c130ff4b0afd8"),
    (Consumer._drain_messages, "44a2500309e83c63"),
    (Consumer._wait_next_records, "6218e1969a636b3f"),
    (Consumer.on_buffer_full, "c8961679e0bcdce5"),
    (Consumer.on_buffer_drop, "4b57e8a418d5ad9c"),
    (Consumer.getmany, "4b168d84882a70d6"),
    (Consumer._commit_offsets, "1a69799041188441"),
    (AIOKafkaConsumerThread.on_start, "38b4e8bd1e10723a"),
    (GroupCoordinator._do_heartbeat, "dc1d6632aaa68e96"),
]


def test_the_mends_hold_for_the_faust_that_is_installed() -> None:
    """Another release of Faust makes this test fail: read its source, then decide about each mend anew."""
    assert faust.__version__ == mends.HOLDS_FOR


@pytest.mark.parametrize(("function", "digest"), MENDED, ids=lambda value: getattr(value, "__qualname__", ""))
def test_what_a_mend_wraps_is_what_it_was_written_against(function: Callable[..., Any], digest: str) -> None:
    """The source of every function that a mend replaces or leans on is the one that was read."""
    assert hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16] == digest


def test_the_flow_is_closed_before_faust_resumes_partitions() -> None:
    """Suspend and stop_flow come first, then Faust's own completion with its generation."""
    calls: list[object] = []

    async def completed(generation_id: int = 0) -> None:
        calls.append(generation_id)

    app = SimpleNamespace(
        tables=SimpleNamespace(recovery=SimpleNamespace(on_recovery_completed=completed)),
        flow_control=SimpleNamespace(suspend=lambda: calls.append("suspend")),
        consumer=SimpleNamespace(stop_flow=lambda: calls.append("stop_flow")),
    )
    mends.suspend_before_resuming(app)
    asyncio.run(app.tables.recovery.on_recovery_completed(7))
    assert calls == ["suspend", "stop_flow", 7]


def event(key: bytes, value: bytes | None, partition: int = 0) -> Any:
    """Make a changelog event."""
    return SimpleNamespace(message=SimpleNamespace(key=key, value=value, partition=partition))


def test_recovery_keeps_the_longer_prefix_and_remembers_what_to_write_again() -> None:
    """A backward record is ignored and its key is to be written again; a tombstone removes; order decides ties."""
    table = SimpleNamespace(data={})
    monotone = mends.MonotoneTable(table)
    long, short, longer = seal(9, 1, b"long"), seal(4, 7, b"short"), seal(12, 2, b"longer")
    table.apply_changelog_batch([event(b"k", long), event(b"k", short), event(b"gone", short)])
    assert table.data[b"k"] == long
    assert monotone.to_rewrite == {(0, b"k")}
    table.apply_changelog_batch([event(b"k", longer), event(b"gone", None)])
    assert table.data == {b"k": longer}
    assert monotone.to_rewrite == set()


def test_keys_are_forgotten_with_the_offset_of_their_changelog() -> None:
    """Forgetting follows Faust's revoke of the changelog, and of no other topic."""
    revoked: list[object] = []
    forgotten: list[int] = []
    app = SimpleNamespace(
        tables=SimpleNamespace(recovery=SimpleNamespace(revoke=revoked.append), changelog_topics={"log"})
    )
    mends.forget_revoked(app, forgotten.append)
    for topic in ("log", "source"):
        app.tables.recovery.revoke(SimpleNamespace(topic=topic, partition=3))
    assert len(revoked) == 2
    assert forgotten == [3]


def test_partitions_start_where_the_state_stands() -> None:
    """perform_seek asks the state and not the group; partitions of other topics are left alone."""
    mine, other = SimpleNamespace(topic="predictions", partition=2), SimpleNamespace(topic="log", partition=2)
    sought: list[object] = []

    async def earliest(*tps: object) -> dict[object, int]:
        return dict.fromkeys(tps, 5)

    async def seek_wait(starts: dict[object, int]) -> None:
        sought.append({tp.partition: start for tp, start in starts.items()})  # type: ignore[attr-defined]

    class Tp(SimpleNamespace):
        __hash__ = object.__hash__  # type: ignore[assignment]

    mine, other = Tp(topic="predictions", partition=2), Tp(topic="log", partition=2)
    consumer = SimpleNamespace(
        assignment=lambda: [mine, other], earliest_offsets=earliest, seek_wait=seek_wait
    )
    app = SimpleNamespace(consumer=consumer)
    mends.seek_to_state(app, "predictions", lambda first: {p: begins + 37 for p, begins in first.items()})
    asyncio.run(consumer.perform_seek())
    assert sought == [{2: 42}]


def drained(callback: Callable[[int], Any], suspend_after: float | None = None) -> list[object]:
    """Hand three messages over as Faust's `_drain_messages` does, mended; what was raced is noted."""
    raced: list[object] = []

    async def run() -> None:
        suspended = asyncio.Event()

        async def wait_first(*waited: Any) -> None:
            raced.append(len(waited))
            tasks = [asyncio.ensure_future(one) for one in waited]
            _, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

        consumer = SimpleNamespace(wait_first=wait_first, callback=callback)
        mends.drain_eagerly(SimpleNamespace(consumer=consumer))
        if suspend_after is not None:
            asyncio.get_running_loop().call_later(suspend_after, suspended.set)
        for message in range(3):
            await consumer.wait_first(consumer.callback(message), suspended.wait())

    asyncio.run(run())
    return raced


def test_a_message_that_need_not_wait_costs_no_task() -> None:
    """A callback that runs through at once is not raced."""
    got: list[int] = []

    async def callback(message: int) -> None:
        got.append(message)

    assert drained(callback) == []
    assert got == [0, 1, 2]


def test_a_message_that_waits_is_delivered_whole() -> None:
    """A callback that waits, on futures and on turns of the loop, goes on and ends."""
    got: list[int] = []

    async def callback(message: int) -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        got.append(message)

    assert drained(callback) == [2, 2, 2]
    assert got == [0, 1, 2]


def test_a_message_that_waits_gives_way_when_the_flow_is_suspended() -> None:
    """A callback that would wait for ever is cancelled by the suspension."""
    cancelled: list[int] = []

    async def callback(message: int) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(message)
            raise

    assert drained(callback, suspend_after=0.01) == [2, 2, 2]
    assert cancelled[0] == 0


def test_a_full_buffer_does_not_stop_the_asking_and_stays_bounded() -> None:
    """Faust's own handler fills the buffer to its size and then waits, and the partition stays asked for."""

    async def run() -> None:
        app = faust.App("full", broker="aiokafka://127.0.0.1:1", stream_buffer_maxsize=5, web_enabled=False)
        mends.wait_where_it_is_full(app)
        channel = aiter(app.topic("t", value_serializer="raw", key_serializer="raw"))
        tp = TP("t", 0)
        app.consumer._active_partitions = {tp}
        app.flow_control.resume()
        deliver = ConductorHandler(app.topics, tp, {channel})
        message = SimpleNamespace(key=b"k", value=b"v", headers={}, refcount=0, tp=tp)
        for _ in range(5):
            await asyncio.wait_for(deliver(message), 10)
        assert channel.queue.full()
        assert app.consumer._active_partitions == {tp}
        sixth = asyncio.ensure_future(deliver(message))
        await asyncio.sleep(0)
        assert not sixth.done()
        channel.queue.get_nowait()
        await asyncio.wait_for(sixth, 10)
        assert channel.queue.qsize() == 5
        assert app.consumer._active_partitions == {tp}
        app.consumer._thread.thread_loop.close()

    asyncio.run(run())


def test_ownership_ends_with_the_generation_and_with_every_disturbance() -> None:
    """Another generation, a rebalance, a recovery or a suspended flow: not current."""

    def app(**changes: object) -> SimpleNamespace:
        state = {
            "consumer_generation_id": 4,
            "rebalancing": False,
            "in_recovery": False,
            "active": True,
        } | changes
        return SimpleNamespace(flow_control=SimpleNamespace(is_active=lambda: state["active"]), **state)

    assert mends.is_current(app(), 4)
    assert not mends.is_current(app(), 5)
    assert not mends.is_current(app(rebalancing=True), 4)
    assert not mends.is_current(app(in_recovery=True), 4)
    assert not mends.is_current(app(active=False), 4)
