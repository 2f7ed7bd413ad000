"""Room in need: a halt and a way back take the room of all that answers nobody, and wait for other loads last."""

from __future__ import annotations

import asyncio

import pytest
from office import PLAN
from roomy import bakes, world
from served import Package, Shelf, until
from signed import model

from driftline.agents.control.lifecycle import cancel
from driftline.agents.serving import work
from driftline.agents.serving.director import Director
from driftline.agents.serving.errors import SwapError
from driftline.agents.serving.means import Means
from driftline.agents.serving.swap import Swapper


def test_a_canary_gives_its_room_to_what_answers_in_a_halt() -> None:
    """In a halt it answers nobody; it is loaded again once the champion answers."""
    office, packages, free_bytes = world(100, v1=30, v2=60, v3=45)

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, free_bytes, drain_s=1.0))
        office.does("create", "ann", model=model("3"))
        office.does("promote", "ann", model=model("1"))
        bakes(office)
        office.does("canary", "ann", model=model("2"), plan=PLAN)
        assert await swapper.activate(office.state) is None
        office.does("halt-serving", "oli", model=model("3"))
        assert "churn 2 takes 60 bytes" in (await swapper.activate(office.state) or "")
        assert swapper.deployment.slots.answering.version == "3"  # type: ignore[union-attr]
        office.does("resume", "oli", target="serving")
        assert await swapper.activate(office.state) is None
        slots = swapper.deployment.slots
        assert (slots.champion.version, slots.canary.version) == ("1", "2")  # type: ignore[union-attr]

    asyncio.run(whole())


def test_what_must_answer_waits_for_no_load_of_another_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the room of the shadow first, though a load of a stranger may end and leave some."""
    monkeypatch.setattr(work, "WAIT_S", 3_600.0)
    office, packages, free_bytes = world(100, v1=45, v2=30, v3=45)
    stranger = Package("1", tier="low", memory_bytes=1)

    async def whole() -> None:
        turns = work.Turns()
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, free_bytes, drain_s=1.0, turns=turns))
        beside = Swapper("fraud", Means(Shelf(stranger).fetch, lambda: 1_000, turns=turns))
        office.does("create", "ann", model=model("1"))
        first = office.state
        office.does("promote", "ann", model=model("3"))
        bakes(office)
        office.does("shadow", "ann", model=model("2"))
        await swapper.activate(office.state)
        stranger.may_load.clear()
        loading = asyncio.ensure_future(beside.activate(first))
        await until(lambda: turns.taking_bytes > 0)
        office.does("halt-serving", "oli", model=model("1"))
        halting = asyncio.ensure_future(swapper.activate(office.state))
        await until(lambda: getattr(swapper.deployment.slots.answering, "version", "") == "1")
        assert not loading.done()
        stranger.may_load.set()
        await halting
        await loading

    asyncio.run(whole())


def test_what_must_answer_waits_for_a_load_of_another_deployment_last() -> None:
    """With nothing of its own to give, it has the room that the other leaves."""
    office, packages, free_bytes = world(100, v1=60)
    stranger = Package("1", tier="low", memory_bytes=50, fails="its weights are torn")

    async def whole() -> None:
        turns = work.Turns()
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, free_bytes, turns=turns))
        beside = Swapper("fraud", Means(Shelf(stranger).fetch, free_bytes, turns=turns))
        office.does("create", "ann", model=model("1"))
        stranger.may_load.clear()
        loading = asyncio.ensure_future(beside.activate(office.state))
        await until(lambda: turns.taking_bytes > 0)
        following = asyncio.ensure_future(swapper.activate(office.state))
        await asyncio.wait([following], timeout=0.2)
        assert not following.done()
        stranger.may_load.set()
        assert await following is None
        with pytest.raises(SwapError, match="its weights are torn"):
            await loading

    asyncio.run(whole())


def test_whoever_asks_for_a_way_back_again_loads_nothing_anew() -> None:
    """Neither the version that is prepared by then, nor the shadows that gave it their room."""
    office, packages, free_bytes = world(90, v1=30, v2=30, v3=30, v4=30)
    said = list[str]()

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, free_bytes, drain_s=1.0))
        director = Director(swapper, lambda _name, _revision, outcome, _why, _s: said.append(outcome))
        office.does("create", "ann", model=model("1"))
        office.does("promote", "ann", model=model("2"))
        bakes(office)
        for number in "34":
            office.does("shadow", "ann", model=model(number))
        director.take(office.state)
        await director.settled()
        for _ in range(3):
            assert office.ask("rollback", "oli", model=model("1")).event == "decided"
            director.take(office.state)
            await director.settled()
        assert said == ["activated", *["prepared"] * 3]
        assert [len(one.made) for one in packages] == [1, 1, 1, 1]
        assert swapper.versions == {"1", "2"}

    asyncio.run(whole())


def test_what_is_prepared_gives_its_room_to_what_must_answer() -> None:
    """An agent that missed how the champion changed holds what is to be loaded next, and no champion."""
    office, packages, free_bytes = world(100, v1=40, v2=40, v3=40)

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, free_bytes, drain_s=1.0))
        office.does("create", "ann", model=model("1"))
        await swapper.activate(office.state)
        office.ask("promote", "ann", model=model("3"))
        await swapper.prepare(office.state)
        assert swapper.versions == {"1", "3"}
        office.desk.move(cancel(office.state, office.desk.at(office.now_ms)), "not yet", office.now_ms)
        office.does("promote", "ann", model=model("2"))
        office.ask("promote", "ann", model=model("3"))
        assert await swapper.activate(office.state) is None
        assert swapper.deployment.slots.answering.version == "2"  # type: ignore[union-attr]

    asyncio.run(whole())


def test_making_room_opens_no_canary_that_failed_too_often() -> None:
    """What serves is the same revision still, though a way back takes the room of a shadow."""
    office, packages, free_bytes = world(90, v1=30, v2=30, v3=30, v4=30)

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, free_bytes, drain_s=1.0))
        office.does("create", "ann", model=model("1"))
        office.does("promote", "ann", model=model("2"))
        bakes(office)
        office.does("canary", "ann", model=model("3"), plan=PLAN)
        office.does("shadow", "ann", model=model("4"))
        await swapper.activate(office.state)
        swapper.deployment.canary_failed(1)
        assert swapper.deployment.canary_closed
        office.ask("rollback", "oli", model=model("1"))
        await swapper.prepare(office.state)
        assert swapper.versions == {"1", "2", "3"}
        assert swapper.deployment.canary_closed

    asyncio.run(whole())


def test_a_restart_while_a_way_back_is_prepared_loads_nothing_else() -> None:
    """Who answers comes first, then the way back; a previous champion and a shadow would be in its way."""
    office, packages, free_bytes = world(100, v1=10, v2=10, v3=10, v4=10)
    said = list[str]()
    office.does("create", "ann", model=model("1"))
    for number in "23":
        office.does("promote", "ann", model=model(number))
    office.does("shadow", "ann", model=model("4"))
    office.ask("rollback", "oli", model=model("1"))

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, free_bytes))
        director = Director(swapper, lambda _name, _revision, outcome, _why, _s: said.append(outcome))
        director.take(office.state)
        await director.settled()
        assert (said, swapper.versions) == (["prepared"], {"1", "3"})

    asyncio.run(whole())
