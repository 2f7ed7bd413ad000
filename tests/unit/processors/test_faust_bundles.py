"""Bundles: what Faust's consumer makes of fetched records once they travel together."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import faust
from faust.types import TP

from driftline.streams.processors.faust_bundles import Bundle, carry_in_bundles

GENERATION = 7


def record(tp: TP, offset: int) -> SimpleNamespace:
    """A record as aiokafka gives it."""
    return SimpleNamespace(
        topic=tp.topic,
        partition=tp.partition,
        offset=offset,
        timestamp=1_000 + offset,
        timestamp_type=1,
        headers=(),
        key=b"k",
        value=b"%d" % offset,
        checksum=None,
        serialized_key_size=1,
        serialized_value_size=1,
    )


def handed_over(fetched: dict[TP, int], most: int) -> list[tuple[TP, Any]]:
    """What Faust's own `getmany` gives of so many records fetched by partition, those of `source` in bundles."""

    async def run() -> list[tuple[TP, Any]]:
        app = faust.App("bundles", broker="aiokafka://127.0.0.1:1", web_enabled=False)
        consumer = app.consumer
        carry_in_bundles(app, "source", most)
        consumer.flow_active = True
        app.consumer_generation_id = GENERATION

        async def fetch(*_: object, **__: object) -> tuple[dict[TP, list[SimpleNamespace]], None]:
            return {tp: [record(tp, at) for at in range(count)] for tp, count in fetched.items()}, None

        consumer._wait_next_records = fetch
        consumer._thread.highwater = lambda tp: fetched[tp]
        try:
            return [one async for one in consumer.getmany(1.0)]
        finally:
            consumer._thread.thread_loop.close()

    return asyncio.run(run())


def test_records_of_the_source_travel_together() -> None:
    """Five records at two a bundle: three bundles, each under its last offset, with all records in their order."""
    tp = TP("source", 1)
    found = handed_over({tp: 5}, 2)
    bundles = [message for _, message in found]
    assert all(isinstance(one, Bundle) for one in bundles)
    assert [(one.topic, one.partition, one.tp, one.offset) for one in bundles] == [
        ("source", 1, tp, last) for last in (1, 3, 4)
    ]
    assert [(one.offset, one.value) for bundle in bundles for one in bundle.records] == [
        (at, b"%d" % at) for at in range(5)
    ]


def test_a_bundle_is_of_the_generation_in_which_it_was_handed_over() -> None:
    """Faust and the worker compare it with the group's, as they do of a message."""
    ((_, bundle),) = handed_over({TP("source", 0): 1}, 2)
    assert bundle.generation_id == GENERATION


def test_records_of_other_topics_travel_alone() -> None:
    """Recovery takes the changelog's records one by one, as Faust's messages."""
    found = handed_over({TP("log", 0): 3, TP("source", 0): 3}, 10)
    alone = [message for tp, message in found if tp.topic == "log"]
    assert [(one.offset, one.value, one.timestamp) for one in alone] == [
        (at, b"%d" % at, (1_000 + at) / 1_000) for at in range(3)
    ]
    assert not any(isinstance(one, Bundle) for one in alone)


def test_partitions_take_turns() -> None:
    """No partition's bundles wait for all of another's."""
    found = handed_over({TP("source", 0): 4, TP("source", 1): 4}, 2)
    assert [tp.partition for tp, _ in found] == [0, 1, 0, 1]
