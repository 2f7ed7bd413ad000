"""The pool: threads that ask models, and calls that nobody waits for any more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from served import loaded, until

from driftline.agents.serving.lease import Deployment
from driftline.agents.serving.pool import MOST_HUNG, NeverBegunError, NoThreadError, Pool, PoolFullError


def test_a_call_that_was_given_up_before_a_thread_took_it_is_never_made() -> None:
    """Its lease is let go of all the same, and what waits behind it is asked."""
    go_on, begun, asked = threading.Event(), threading.Event(), list[str]()

    def first() -> None:
        begun.set()
        assert go_on.wait(30)
        asked.append("first")

    async def whole() -> None:
        pool, deployment, model = Pool("test", 1, 8), Deployment("churn"), loaded("1")
        under_way = pool.submit(first, deployment.lease(model), 30.0)
        await asyncio.to_thread(begun.wait, 30)
        pool.submit(lambda: asked.append("given up"), deployment.lease(model), 30.0).cancel()
        last = pool.submit(lambda: asked.append("last"), deployment.lease(model), 30.0)
        go_on.set()
        await asyncio.wait_for(asyncio.gather(under_way, last), 30)
        assert asked == ["first", "last"]
        assert (model.calls, pool.under_way) == (0, 0)
        pool.close()

    asyncio.run(whole())


@contextmanager
def hanging() -> Iterator[Callable[[], None]]:
    """Give a call that hangs until the block ends."""
    go_on = threading.Event()

    def hang() -> None:
        go_on.wait(60)

    try:
        yield hang
    finally:
        go_on.set()


def run(whole: Callable[[Pool, Deployment], Awaitable[None]], threads: int = 2, waiting: int = 4) -> None:
    """Run a test with a pool."""

    async def bounded() -> None:
        pool = Pool("probe", threads, waiting)
        async with asyncio.timeout(60):
            await whole(pool, Deployment("churn"))
        pool.close()

    asyncio.run(bounded())


def test_calls_that_hang_take_nothing_from_those_after_them() -> None:
    """Other threads take their place; when they end, each lease is let go of, and no thread is left over."""

    async def whole(pool: Pool, deployment: Deployment) -> None:
        model = loaded("1")
        with hanging() as hang:
            for _ in range(3):
                for one in [pool.submit(hang, deployment.lease(model), 0.5) for _ in range(2)]:
                    with pytest.raises(TimeoutError) as raised:
                        await one
                    assert not isinstance(raised.value, NeverBegunError)
            assert (pool.hung, pool.under_way, model.calls) == (6, 0, 6)
            assert (await pool.submit(lambda: "answer", deployment.lease(model), 30.0))[0] == "answer"
        await until(lambda: pool.hung == 0)
        await until(lambda: sum(one.name.startswith("probe-") for one in threading.enumerate()) <= 2)
        assert (pool.under_way, model.calls) == (0, 0)
        assert (await pool.submit(lambda: "again", deployment.lease(model), 30.0))[0] == "again"

    run(whole)


def test_a_call_that_only_waited_is_told_apart_and_leaves_its_place() -> None:
    """It says nothing of the model, and whoever comes next may wait in its place."""

    async def whole(pool: Pool, deployment: Deployment) -> None:
        model = loaded("1")
        with hanging() as hang:
            running = pool.submit(hang, deployment.lease(model), 30.0)
            waiting = [pool.submit(hang, deployment.lease(model), 0.05) for _ in range(2)]
            with pytest.raises(PoolFullError):
                pool.submit(hang, deployment.lease(model), 0.05)
            for one in waiting:
                with pytest.raises(NeverBegunError):
                    await one
            assert (pool.under_way, pool.hung, model.calls) == (1, 0, 1)
            last = pool.submit(lambda: "last", deployment.lease(model), 30.0)
        await running
        assert (await last)[0] == "last"

    run(whole, threads=1, waiting=2)


def test_what_nobody_waits_for_any_more_hangs_too() -> None:
    """A caller who left before the time was over leaves a thread behind all the same: another one takes its place."""

    async def whole(pool: Pool, deployment: Deployment) -> None:
        model = loaded("1")
        with hanging() as hang:
            gone = [pool.submit(hang, deployment.lease(model), 0.1) for _ in range(2)]
            await asyncio.sleep(0.05)
            for one in gone:
                one.cancel()
            await until(lambda: pool.hung == 2)
            assert (await pool.submit(lambda: "answer", deployment.lease(model), 30.0))[0] == "answer"
        await until(lambda: (pool.hung, model.calls) == (0, 0))

    run(whole)


def test_threads_that_hang_are_bounded() -> None:
    """Then no call is taken, at once, until one of them ends."""

    async def whole(pool: Pool, deployment: Deployment) -> None:
        model = loaded("1")
        with hanging() as hang:
            while not pool.is_stuck:  # on a machine that is busy some are given up before they begin
                assert pool.hung <= MOST_HUNG
                with pytest.raises(TimeoutError):
                    await pool.submit(hang, deployment.lease(model), 0.05)
            assert (pool.hung, pool.is_stuck) == (1 + MOST_HUNG, True)
            with pytest.raises(PoolFullError):
                pool.submit(hang, deployment.lease(model), 0.05)
        await until(lambda: not pool.is_stuck)
        assert (await pool.submit(lambda: "answer", deployment.lease(model), 30.0))[0] == "answer"

    run(whole, threads=1)


def test_threads_that_cannot_be_started_take_nothing_once_they_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """Meanwhile a call is refused at once where no thread lives, and its lease is let go of."""

    def none(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def whole(pool: Pool, deployment: Deployment) -> None:
        model = loaded("1")
        with monkeypatch.context() as without:
            without.setattr(threading.Thread, "start", none)
            for _ in range(3):
                with pytest.raises(NoThreadError):
                    pool.submit(lambda: "answer", deployment.lease(model), 30.0)
            assert (pool.under_way, pool.waiting, pool.is_stuck, model.calls) == (0, 0, False, 0)
        assert (await pool.submit(lambda: "answer", deployment.lease(model), 30.0))[0] == "answer"
        with monkeypatch.context() as without:
            without.setattr(threading.Thread, "start", none)
            both = [pool.submit(lambda: "answer", deployment.lease(model), 30.0) for _ in range(2)]
            assert [(await one)[0] for one in both] == ["answer"] * 2

    run(whole)
