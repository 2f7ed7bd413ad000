"""The drift worker's Faust app as it is built, before anything connects."""

from __future__ import annotations

import asyncio

import faust
import pytest
from prometheus_client import CollectorRegistry

from driftline.schemas.settings import Settings
from driftline.streams.processors import drift
from driftline.streams.processors.drift import BUFFERED, build
from driftline.streams.processors.faust_stop import STOP_S


def test_the_buffer_holds_the_bundles_it_is_meant_to() -> None:
    """What the agent reads waits in a queue of BUFFERED bundles: that bounds the memory of a worker that lags."""

    async def look() -> tuple[str, int]:
        app = build(Settings(), CollectorRegistry(), b"source").app
        app.consumer._thread.thread_loop.close()  # Faust makes it with the consumer, and closes it as that stops
        (agent,) = app.agents.values()
        read = agent.channel.clone(is_iterator=True)
        return read.get_topic_name(), read.queue.maxsize

    assert asyncio.run(look()) == ("predictions", BUFFERED)


def test_stopping_is_bounded_from_its_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The countdown begins before the last checkpoint is written, which may wait for Kafka."""
    told: list[object] = []

    async def finish() -> None:
        told.append("finish")

    async def stopped(_app: object) -> None:
        told.append("stopped")

    async def stop() -> None:
        app = build(Settings(), CollectorRegistry(), b"source").app
        app.consumer._thread.thread_loop.close()
        app.before_stop = finish
        await app.on_stop()

    monkeypatch.setattr(drift, "end_within", told.append)
    monkeypatch.setattr(faust.App, "on_stop", stopped)
    asyncio.run(stop())
    assert told == [STOP_S, "finish", "stopped"]
