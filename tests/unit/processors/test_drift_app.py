"""The drift worker's Faust app as it is built, before anything connects."""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry

from driftline.schemas.settings import Settings
from driftline.streams.processors.drift import BUFFERED, build


def test_the_buffer_holds_the_bundles_it_is_meant_to() -> None:
    """What the agent reads waits in a queue of BUFFERED bundles: that bounds the memory of a worker that lags."""

    async def look() -> tuple[str, int]:
        app = build(Settings(), CollectorRegistry(), b"source").app
        app.consumer._thread.thread_loop.close()  # Faust makes it with the consumer, and closes it as that stops
        (agent,) = app.agents.values()
        read = agent.channel.clone(is_iterator=True)
        return read.get_topic_name(), read.queue.maxsize

    assert asyncio.run(look()) == ("predictions", BUFFERED)
