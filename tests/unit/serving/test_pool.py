"""The pool: threads that ask models, and calls that nobody waits for any more."""

from __future__ import annotations

import asyncio
import threading

from served import loaded

from driftline.agents.serving.lease import Deployment
from driftline.agents.serving.pool import Pool


def test_a_call_that_was_given_up_before_a_thread_took_it_is_never_made() -> None:
    """Its lease is let go of all the same, and what waits behind it is asked."""
    go_on, begun, asked = threading.Event(), threading.Event(), list[str]()

    def first() -> None:
        begun.set()
        assert go_on.wait(30)
        asked.append("first")

    async def whole() -> None:
        pool, deployment, model = Pool("test", 1, 8), Deployment("churn"), loaded("1")
        under_way = pool.submit(first, deployment.lease(model))
        await asyncio.to_thread(begun.wait, 30)
        pool.submit(lambda: asked.append("given up"), deployment.lease(model)).cancel()
        last = pool.submit(lambda: asked.append("last"), deployment.lease(model))
        go_on.set()
        await asyncio.wait_for(asyncio.gather(under_way, last), 30)
        assert asked == ["first", "last"]
        assert (model.calls, pool.under_way) == (0, 0)
        pool.close()

    asyncio.run(whole())
