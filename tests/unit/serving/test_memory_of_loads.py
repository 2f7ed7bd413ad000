"""Memory that loads are about to take: whoever loads beside them counts with it, and waits a while at most."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from office import Office
from served import Package, Shelf, until

from driftline.agents.serving import work
from driftline.agents.serving.errors import SwapError
from driftline.agents.serving.means import Means
from driftline.agents.serving.swap import Swapper


def test_deployments_that_load_at_the_same_time_count_with_each_other() -> None:
    """What both will take is more than there is: the second waits for the first, and is refused with figures."""
    one, two = (Package("1", tier="low", memory_bytes=70) for _ in range(2))

    def free_bytes() -> int:
        return 100 - 70 * (len(one.made) + len(two.made))

    async def whole() -> None:
        office, turns = Office("low"), work.Turns()
        office.created("1")
        first = Swapper("churn", Means(Shelf(one).fetch, free_bytes, turns=turns))
        second = Swapper("fraud", Means(Shelf(two).fetch, free_bytes, turns=turns))
        one.may_load.clear()
        loading = asyncio.create_task(first.activate(office.state))
        await until(lambda: turns.taking_bytes == 70)
        beside = asyncio.create_task(second.activate(office.state))
        await asyncio.wait([beside], timeout=0.2)
        assert not beside.done()
        one.may_load.set()
        await loading
        with pytest.raises(SwapError, match="takes 70 bytes of memory, and 30 are free"):
            await beside
        assert turns.taking_bytes == 0

    asyncio.run(whole())


def test_what_a_trial_takes_for_a_moment_refuses_nobody() -> None:
    """While another package is tried in a child there is less memory: a load waits until that is over."""
    one, two = Package("1", tier="low", memory_bytes=0), Package("1", tier="low", memory_bytes=40)
    tries, may_end = threading.Event(), threading.Event()

    def fetch(_ref: object) -> Package:
        tries.set()
        may_end.wait(30)
        tries.clear()
        return one

    async def whole() -> None:
        office, turns = Office("low"), work.Turns()
        office.created("1")
        first = Swapper("churn", Means(fetch, lambda: 100, turns=turns))
        trying = asyncio.create_task(first.activate(office.state))
        await until(tries.is_set)
        second = Swapper("fraud", Means(Shelf(two).fetch, lambda: 30 if tries.is_set() else 100, turns=turns))
        loading = asyncio.create_task(second.activate(office.state))
        await asyncio.wait([loading], timeout=0.2)
        assert not loading.done()
        may_end.set()
        await trying
        await loading
        assert second.versions == {"1"}

    asyncio.run(whole())


def test_a_load_that_hangs_is_waited_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then what needs its memory is refused, with figures; what needs less loads, and what nobody knows the size of."""
    monkeypatch.setattr(work, "WAIT_S", 0.1)
    one = Package("1", tier="low", memory_bytes=70)
    others = [Package("1", tier="low", memory_bytes=some) for some in (50, 30, 0)]

    async def whole() -> None:
        office, turns = Office("low"), work.Turns()
        office.created("1")
        first = Swapper("churn", Means(Shelf(one).fetch, lambda: 100, turns=turns))
        one.may_load.clear()
        hung = asyncio.create_task(first.activate(office.state))
        await until(lambda: turns.taking_bytes == 70)
        hung.cancel()
        await asyncio.wait([hung])
        assert turns.taking_bytes == 70
        large, small, unknown = (
            Swapper(str(number), Means(Shelf(other).fetch, lambda: 100, turns=turns))
            for number, other in enumerate(others)
        )
        with pytest.raises(
            SwapError,
            match=r"takes 50 bytes .* 30 are free beside nothing and 70 bytes that are being loaded",
        ):
            await large.activate(office.state)
        await small.activate(office.state)
        await unknown.activate(office.state)
        one.may_load.set()
        await until(lambda: turns.taking_bytes == 0)

    asyncio.run(whole())


def test_what_nobody_waited_for_is_let_go_of_beside_the_loop() -> None:
    """A load that ended as it was given up is disposed of in a thread, counts as ended, and its error is nobody's."""
    said = list[bool]()

    def dispose(_made: str) -> None:
        said.append(threading.current_thread() is threading.main_thread())
        raise RuntimeError("it does not close")

    async def whole() -> None:
        turns, may_end = work.Turns(), threading.Event()
        churn = work.Work("churn", turns)

        def load() -> str:
            may_end.wait(30)
            return "made"

        for _ in range(work.MOST_HUNG + 1):
            may_end.clear()
            loading = asyncio.create_task(churn.do(load, dispose, takes_bytes=70))
            await until(lambda: work.under_way() == 1)
            may_end.set()
            while work.under_way():  # the loop stands still until the thread has ended
                time.sleep(0.001)  # noqa: ASYNC251
            loading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await loading
            await until(lambda: work.under_way() == 0)
            assert turns.taking_bytes == 0

    asyncio.run(whole())
    assert said == [False] * (work.MOST_HUNG + 1)
