"""Agents that missed states, or hear many in a row: they leave what is over at once, and begin no load anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from office import PLAN, Office
from served import Package, Shelf, until
from signed import model

from driftline.agents.serving.director import Director
from driftline.agents.serving.errors import SwapError
from driftline.agents.serving.swap import Means, Swapper
from driftline.schemas.control.command import Plan


def package(version: str, **fields: Any) -> Package:
    """Return a package of low tier."""
    return Package(version, **({"tier": "low"} | fields))


def room(most: int, *packages: Package) -> Callable[[], int]:
    """Return what is free beside the packages in memory, of so many bytes."""
    return lambda: (
        most
        - sum(
            one.memory_bytes * (len(one.made) - sum(made.is_closed.is_set() for made in one.made))
            for one in packages
        )
    )


def test_a_canary_that_was_taken_back_answers_nobody_while_a_champion_loads() -> None:
    """Of the states between only the last one came; whether the champion in it loads or not."""
    office, late = Office("low"), package("3")

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(package("1"), package("2"), late).fetch, lambda: 100))
        office.canary("2")
        await swapper.activate(office.state)
        assert swapper.deployment.slots.canary is not None
        office.does("rollback", "oli", model=model("1"))
        office.registered("3")
        office.does("promote", "ann", model=model("3"))
        late.may_load.clear()
        following = asyncio.ensure_future(swapper.activate(office.state))
        await until(lambda: swapper.deployment.slots.canary is None)
        assert swapper.deployment.slots.answering.version == "1"  # type: ignore[union-attr]
        late.fails = "its store is away"
        late.may_load.set()
        with pytest.raises(SwapError, match="its store is away"):
            await following
        assert swapper.deployment.slots.canary is None

    asyncio.run(whole())


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


def test_states_in_a_row_begin_no_load_anew() -> None:
    """Each of them wants the same package: it is fetched and loaded once, however many come while it loads."""
    office, slow = Office("low"), package("1")
    said, fetched = list[str](), list[object]()

    async def whole() -> None:
        shelf = Shelf(slow)

        def fetch(ref: Any) -> Package:
            fetched.append(ref)
            return shelf.fetch(ref)

        swapper = Swapper("churn", Means(fetch, lambda: 100))
        director = Director(swapper, lambda _name, _revision, outcome, _why, _s: said.append(outcome))
        office.created("1")
        slow.may_load.clear()
        for number in range(2, 12):
            director.take(office.state)
            await asyncio.sleep(0.02)
            office.does("register", "ann", model=model(str(number)), manifest="e30=", profile="cd" * 32)
        director.take(office.state)
        slow.may_load.set()
        await director.settled()
        assert (len(fetched), len(slow.made), slow.releases, said) == (1, 1, 0, ["activated"])
        assert (swapper.versions, swapper.deployment.slots.revision) == ({"1"}, office.state.revision)

    asyncio.run(whole())


def test_a_load_that_no_state_wants_any_more_is_given_up() -> None:
    """What it made is closed; what the newer state wants is loaded meanwhile."""
    office, slow = Office("low"), package("2")

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(package("1"), slow, package("3")).fetch, lambda: 100))
        for number in "123":
            office.registered(number)
        office.does("create", "ann", model=model("1"))
        await swapper.activate(office.state)
        office.does("promote", "ann", model=model("2"))
        slow.may_load.clear()
        first = asyncio.ensure_future(swapper.activate(office.state))
        await until(lambda: bool(swapper._loading))
        first.cancel()
        office.does("rollback", "oli", model=model("1"))
        office.does("promote", "ann", model=model("3"))
        await swapper.activate(office.state)
        assert swapper.deployment.slots.answering.version == "3"  # type: ignore[union-attr]
        slow.may_load.set()
        await until(lambda: bool(slow.made) and slow.made[0].is_closed.is_set())
        assert "2" not in swapper.versions

    asyncio.run(whole())
