"""Room: what stands beside gives its memory to what must answer, and a plan says whether a way back does."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from office import PLAN, Office
from roomy import bakes, room
from served import Package, Shelf, until
from signed import model

from driftline.agents.control.lifecycle import cancel
from driftline.agents.serving.arrangement import spared
from driftline.agents.serving.errors import SwapError
from driftline.agents.serving.means import Means
from driftline.agents.serving.swap import Swapper
from driftline.schemas.control.command import Plan


def package(version: str, **fields: Any) -> Package:
    """Return a package of low tier."""
    return Package(version, **({"tier": "low"} | fields))


@pytest.mark.parametrize("kind", ["previous", "canary"])
def test_what_the_newest_state_has_no_place_for_makes_room(kind: str) -> None:
    """An agent that missed what came between lets go of it before it refuses what is to answer now."""
    office, packages = Office("low"), [package(str(number), memory_bytes=40) for number in (1, 2, 3)]

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, room(100, *packages), drain_s=1.0))
        for number in "123":
            office.registered(number)
        cold = Plan(cold_rollback=True)
        office.does("create", "ann", model=model("1"))
        if kind == "previous":
            office.does("promote", "ann", model=model("2"), plan=cold)
        else:
            office.does("canary", "ann", model=model("2"), plan=PLAN)
        await swapper.activate(office.state)
        assert swapper.versions == {"1", "2"}
        if kind == "canary":
            office.does("rollback", "oli", model=model("1"))
        office.does("promote", "ann", model=model("3"), plan=cold)
        await swapper.activate(office.state)
        assert swapper.deployment.slots.answering.version == "3"  # type: ignore[union-attr]

    asyncio.run(whole())


def test_a_halted_champion_that_is_over_makes_room() -> None:
    """It answers nobody; an agent that missed the end of the halt serves what is champion by now."""
    office = Office("low")
    packages = [package(str(number), memory_bytes=some) for number, some in ((1, 60), (2, 10), (3, 50))]

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, room(100, *packages), drain_s=1.0))
        for number in "123":
            office.registered(number)
        office.does("create", "ann", model=model("1"))
        office.does("halt-serving", "oli")
        await swapper.activate(office.state)
        office.does("resume", "oli", target="serving")
        for number in "23":
            office.does("promote", "ann", model=model(number), plan=Plan(cold_rollback=True))
        await swapper.activate(office.state)
        assert swapper.deployment.slots.answering.version == "3"  # type: ignore[union-attr]
        assert swapper.versions == {"2", "3"}

    asyncio.run(whole())


def test_what_is_to_answer_takes_the_room_of_a_shadow_that_loads() -> None:
    """The load of the shadow is given up: it stands beside, and is what is lacking."""
    office = Office("low")
    packages = [package(str(number), memory_bytes=40) for number in (1, 2, 3)]

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, room(100, *packages), drain_s=1.0))
        for number in "123":
            office.registered(number)
        office.does("create", "ann", model=model("1"))
        await swapper.activate(office.state)
        office.does("shadow", "ann", model=model("2"))
        packages[1].may_load.clear()
        first = asyncio.ensure_future(swapper.activate(office.state))
        await until(lambda: bool(swapper._loading))
        first.cancel()
        office.does("promote", "ann", model=model("3"), plan=Plan(cold_rollback=True))
        following = asyncio.ensure_future(swapper.activate(office.state))
        await asyncio.sleep(0.05)
        packages[1].may_load.set()
        assert "churn 2 takes 40 bytes" in (await following or "")
        assert swapper.deployment.slots.answering.version == "3"  # type: ignore[union-attr]

    asyncio.run(whole())


@pytest.mark.parametrize("way", ["rollback", "halt"])
def test_what_stands_beside_gives_its_room_to_what_must_answer(way: str) -> None:
    """A way back, or an earlier version through a halt, is refused for no shadow, previous or halted champion."""
    office = Office("low")
    packages = [package(str(number), memory_bytes=some) for number, some in ((1, 45), (2, 30), (3, 45))]

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, room(100, *packages), drain_s=1.0))
        for number in "123":
            office.registered(number)
        office.does("create", "ann", model=model("1"))
        office.does("promote", "ann", model=model("3"), plan=Plan(cold_rollback=True))
        office.does("shadow", "ann", model=model("2"), plan=Plan(cold_rollback=True))
        await swapper.activate(office.state)
        assert swapper.versions == {"2", "3"}
        if way == "rollback":
            office.does("rollback", "oli", model=model("1"))
        else:
            office.does("halt-serving", "oli", model=model("1"))
        assert (await swapper.activate(office.state) is None) == (way == "rollback")
        assert swapper.deployment.slots.answering.version == "1"  # type: ignore[union-attr]

    asyncio.run(whole())


def test_a_rollback_that_is_prepared_takes_the_room_of_shadows() -> None:
    """No plan has to say so: people want to be rid of what answers."""
    office = Office("low")
    packages = [package(str(number), memory_bytes=30) for number in (1, 2, 3, 4)]

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, room(90, *packages), drain_s=1.0))
        for number in "1234":
            office.registered(number)
        office.does("create", "ann", model=model("1"))
        office.does("promote", "ann", model=model("2"))
        bakes(office)
        for number in "34":
            office.does("shadow", "ann", model=model(number))
        await swapper.activate(office.state)
        assert swapper.versions == {"2", "3", "4"}
        office.ask("rollback", "oli", model=model("1"))
        await swapper.prepare(office.state)
        assert "1" in swapper.versions
        office.prepared()
        await swapper.activate(office.state)
        assert swapper.deployment.slots.answering.version == "1"  # type: ignore[union-attr]

    asyncio.run(whole())


@pytest.mark.parametrize("is_cold", [True, False])
def test_whether_a_rollback_may_be_cold_says_the_newest_plan(*, is_cold: bool) -> None:
    """Not that of a state before, which began the load."""
    office = Office("low")
    packages = [package(str(number), memory_bytes=30) for number in (1, 2, 3)]
    may_fetch = threading.Event()

    async def whole() -> None:
        shelf = Shelf(*packages)

        def fetch(ref: Any) -> Package:
            assert ref.version != "3" or may_fetch.wait(30)
            return shelf.fetch(ref)

        swapper = Swapper("churn", Means(fetch, room(80, *packages), drain_s=1.0))
        for number in "123":
            office.registered(number)
        office.does("create", "ann", model=model("1"))
        office.does("promote", "ann", model=model("2"))
        await swapper.activate(office.state)
        office.ask("promote", "ann", model=model("3"), plan=Plan(cold_rollback=not is_cold))
        first = asyncio.ensure_future(swapper.prepare(office.state))
        await until(lambda: bool(swapper._loading))
        first.cancel()
        office.desk.move(cancel(office.state, office.desk.at(office.now_ms)), "again", office.now_ms)
        office.ask("promote", "ann", model=model("3"), plan=Plan(cold_rollback=is_cold))
        following = asyncio.ensure_future(swapper.prepare(office.state))
        await asyncio.sleep(0)
        may_fetch.set()
        if is_cold:
            await following
            assert swapper.versions == {"2", "3"}
        else:
            with pytest.raises(SwapError, match="ask again with --cold-rollback, or give"):
                await following
            assert swapper.versions == {"1", "2"}

    asyncio.run(whole())


def test_a_shadow_takes_no_previous_champions_room_by_the_plan_of_what_is_prepared() -> None:
    """That lets the way back be cold for what it prepares alone."""
    office = Office("low")
    packages = [package(str(number), memory_bytes=30) for number in (1, 2, 3, 4)]

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, room(80, *packages), drain_s=1.0))
        for number in "1234":
            office.registered(number)
        office.does("create", "ann", model=model("1"))
        office.does("promote", "ann", model=model("2"))
        await swapper.activate(office.state)
        office.does("shadow", "ann", model=model("3"))
        office.ask("promote", "ann", model=model("4"), plan=Plan(cold_rollback=True))
        assert "churn 3 takes 30 bytes" in (await swapper.activate(office.state) or "")
        assert swapper.versions == {"1", "2"}
        now = swapper.deployment.slots
        assert spared(now, office.state, model("3")) == now
        assert spared(now, office.state, model("4")).previous is None

    asyncio.run(whole())
