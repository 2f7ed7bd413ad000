"""Room and calls: what gives its room goes when its calls have ended, and what comes stays though calls end."""

from __future__ import annotations

import asyncio

import pytest
from roomy import bakes, world
from served import Shelf, until
from signed import model

from driftline.agents.serving.means import Means
from driftline.agents.serving.swap import Swapper


@pytest.mark.parametrize("way", ["taken", "retired"])
def test_room_is_there_once_the_calls_of_what_gives_it_have_ended(way: str) -> None:
    """Of a shadow whose room is taken, as of one that was retired a moment before: both answer a call still."""
    office, packages, free_bytes = world(100, v1=40, v2=40, v3=40)

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, free_bytes))
        office.does("create", "ann", model=model("1"))
        office.does("promote", "ann", model=model("2"))
        bakes(office)
        office.does("shadow", "ann", model=model("3"))
        await swapper.activate(office.state)
        call = swapper.deployment.lease(swapper.deployment.slots.shadows[0])
        if way == "retired":
            office.does("retire", "ann", model=model("3"))
            await swapper.activate(office.state)
        office.ask("rollback", "oli", model=model("1"))
        preparing = asyncio.ensure_future(swapper.prepare(office.state))
        await asyncio.wait([preparing], timeout=0.2)
        assert not preparing.done()
        call.release()
        await preparing
        assert swapper.versions == {"1", "2"}

    asyncio.run(whole())


def test_a_shadow_that_comes_behind_what_took_room_is_kept_while_a_call_ends() -> None:
    """It is in memory, and in its slot when the call before has ended."""
    office, packages, free_bytes = world(100, v1=40, v2=40, v3=40, v4=10)

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, free_bytes))
        deployment = swapper.deployment
        office.does("create", "ann", model=model("1"))
        office.does("shadow", "ann", model=model("2"))
        await swapper.activate(office.state)
        office.does("retire", "ann", model=model("2"))
        office.does("promote", "ann", model=model("3"))
        office.does("shadow", "ann", model=model("4"))
        packages[2].may_load.clear()
        following = asyncio.ensure_future(swapper.activate(office.state))
        await until(lambda: swapper.versions == {"1"})
        champion = deployment.slots.champion
        assert champion is not None
        call = deployment.lease(champion)
        packages[2].may_load.set()
        await until(lambda: "4" in swapper.versions)
        call.release()
        assert await following is None
        assert [one.version for one in deployment.slots.shadows] == ["4"]
        assert not packages[3].made[0].is_closed.is_set()

    asyncio.run(whole())
