"""Swapping: what does not fit into memory, what takes long, what is not needed any more."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from office import Office
from served import Package, Shelf, constant, until
from signed import model

from driftline.agents.control.lifecycle import cancel
from driftline.agents.serving.director import Director
from driftline.agents.serving.errors import SwapError
from driftline.agents.serving.means import Means
from driftline.agents.serving.package.tensors import Tensor
from driftline.agents.serving.slots import Slots
from driftline.agents.serving.swap import Swapper
from driftline.schemas.control.command import Plan


def run(whole: Callable[[], Awaitable[None]]) -> None:
    """Run a test to its end."""

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await whole()

    asyncio.run(bounded())


def package(version: str, **fields: Any) -> Package:
    """Return a package of low tier that takes ten bytes."""
    return Package(version, **{"tier": "low", "memory_bytes": 10} | fields)


async def serving(office: Office, shelf: Shelf, free_bytes: Callable[[], int] = lambda: 100) -> Swapper:
    """Return a swapper that serves version 1, as the office says."""
    swapper = Swapper("churn", Means(shelf.fetch, free_bytes))
    office.created("1")
    await swapper.activate(office.state)
    return swapper


def test_what_finds_no_memory_is_refused_with_figures() -> None:
    """Nothing is kept of it, and what serves goes on; the previous one goes first where a rollback may be cold."""
    office, packages = Office("low"), [package(str(n)) for n in range(1, 4)]
    most = [100]

    def free_bytes() -> int:
        return most[0] - 10 * sum(
            len(one.made) - sum(m.is_closed.is_set() for m in one.made) for one in packages
        )

    async def whole() -> None:
        swapper = await serving(office, Shelf(*packages), free_bytes)
        office.registered("2")
        office.does("promote", "ann", model=model("2"))
        await swapper.activate(office.state)
        assert swapper.versions == {"1", "2"}
        most[0] = 25
        office.registered("3")
        office.ask("promote", "ann", model=model("3"))
        with pytest.raises(
            SwapError, match=r"churn 3 takes 10 bytes of memory, and 5 are free beside churn 1, churn 2"
        ):
            await swapper.prepare(office.state)
        assert swapper.versions == {"1", "2"}
        assert packages[2].releases == 1
        office.desk.move(cancel(office.state, office.desk.at(office.now_ms)), "no memory", office.now_ms)
        office.ask("promote", "ann", model=model("3"), plan=Plan(cold_rollback=True))
        await swapper.prepare(office.state)
        assert swapper.versions == {"2", "3"}
        assert swapper.deployment.slots.previous is None
        await swapper.activate(office.prepared())
        assert swapper.deployment.slots.champion is not None
        assert swapper.deployment.slots.champion.version == "3"

    run(whole)


def test_a_package_of_another_face_does_not_replace_the_champion() -> None:
    """Callers of the champion could not ask it: `prepare` says which input differs."""
    office = Office("low")
    other = Tensor(name="Y", datatype="FP32", shape=(-1, 3))
    shelf = Shelf(package("1"), package("2", inputs=(other,)))

    async def whole() -> None:
        swapper = await serving(office, shelf)
        office.registered("2")
        office.ask("promote", "ann", model=model("2"))
        with pytest.raises(SwapError, match="has no input 'X'"):
            await swapper.prepare(office.state)

    run(whole)


def test_a_halt_does_not_wait_for_what_is_being_loaded() -> None:
    """A newer state ends what is prepared for an older one; what its thread still loads is closed again."""
    office, slow = Office("low"), package("2")
    said: list[tuple[int, str]] = []

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(package("1"), slow).fetch, lambda: 100))
        director = Director(
            swapper, lambda _name, revision, outcome, _why, _s: said.append((revision, outcome))
        )
        office.created("1")
        director.take(office.state)
        await director.settled()
        office.registered("2")
        office.ask("promote", "ann", model=model("2"))
        slow.may_load.clear()
        director.take(office.state)
        await asyncio.sleep(0.05)
        office.does("halt-serving", "oli")
        director.take(office.state)
        await director.settled()
        assert swapper.deployment.slots.halted is not None
        assert said[-1] == (office.state.revision, "activated")
        slow.may_load.set()
        await until(lambda: bool(slow.made) and slow.made[0].is_closed.is_set())
        assert swapper.versions == {"1"}
        await director.close()

    run(whole)


def test_a_halt_stops_what_serves_before_it_loads_anything() -> None:
    """An agent that was to load a new champion, and is halted meanwhile, answers with the old one no longer."""
    office, slow = Office("low"), package("2")

    async def whole() -> None:
        swapper = await serving(office, Shelf(package("1"), slow))
        office.registered("2")
        office.does("promote", "ann", model=model("2"))
        office.does("halt-serving", "oli")
        slow.may_load.clear()
        halting = asyncio.ensure_future(swapper.activate(office.state))
        await until(lambda: swapper.deployment.slots.answering is None)
        assert not halting.done()
        slow.may_load.set()
        await halting
        assert swapper.versions == {"1", "2"}

    run(whole)


def test_what_an_older_revision_prepared_makes_room() -> None:
    """Its end may not have been heard; when the newer one fails too, nothing is kept of either."""
    office, packages = Office("low"), [package("1"), package("2"), package("3", fails="its weights are torn")]

    def free_bytes() -> int:
        return 25 - 10 * sum(len(one.made) - sum(m.is_closed.is_set() for m in one.made) for one in packages)

    async def whole() -> None:
        swapper = await serving(office, Shelf(*packages), free_bytes)
        office.registered("2")
        office.registered("3")
        office.ask("promote", "ann", model=model("2"))
        await swapper.prepare(office.state)
        assert swapper.versions == {"1", "2"}
        close, may_close = packages[1].made[0].close, threading.Event()
        packages[1].made[0].close = lambda: close() if may_close.wait(30) else None  # type: ignore[method-assign]
        asyncio.get_running_loop().call_later(0.05, may_close.set)
        office.desk.move(cancel(office.state, office.desk.at(office.now_ms)), "it waits", office.now_ms)
        office.ask("promote", "ann", model=model("3"))
        with pytest.raises(SwapError, match="its weights are torn"):
            await swapper.prepare(office.state)
        assert swapper.versions == {"1"}

    run(whole)


def test_an_end_lets_go_of_what_was_only_prepared() -> None:
    """Its model is closed too, and with it go its files."""
    office, following = Office("low"), package("2")

    async def whole() -> None:
        swapper = await serving(office, Shelf(package("1"), following))
        office.registered("2")
        office.ask("promote", "ann", model=model("2"))
        await swapper.prepare(office.state)
        await swapper.close(10)
        assert swapper.versions == set()
        assert (following.made[0].is_closed.is_set(), following.releases) == (True, 1)

    run(whole)


def test_a_swap_waits_for_the_calls_that_the_one_before_left() -> None:
    """At most one old generation drains: whoever does not wait for it is stopped."""
    office = Office("low")

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(package("1"), package("2"), package("3")).fetch, lambda: 100))
        deployment = swapper.deployment
        office.created("1")
        await swapper.activate(office.state)
        champion = deployment.slots.champion
        assert champion is not None
        call = deployment.lease(champion)
        office.registered("2")
        office.does("promote", "ann", model=model("2"))
        await swapper.activate(office.state)
        office.registered("3")
        office.does("promote", "ann", model=model("3"))
        following = asyncio.ensure_future(swapper.activate(office.state))
        await until(lambda: model("3") in swapper._loaded)
        with pytest.raises(RuntimeError, match="an old generation of churn still drains"):
            deployment.switch(Slots())
        assert (deployment.slots.champion.version, following.done()) == ("2", False)  # type: ignore[union-attr]
        call.release()
        await following
        assert deployment.slots.champion.version == "3"  # type: ignore[union-attr]

    run(whole)


def test_states_that_follow_each_other_wait_no_longer_than_one() -> None:
    """A newer state gives up what is under way for the one before it, and not the time that was waited already."""
    office = Office("low")

    async def whole() -> None:
        shelf = Shelf(package("1"), package("2"), package("3"))
        swapper = Swapper("churn", Means(shelf.fetch, lambda: 100, drain_s=1.0))
        office.created("1")
        await swapper.activate(office.state)
        champion = swapper.deployment.slots.champion
        assert champion is not None
        call = swapper.deployment.lease(champion)
        office.registered("2")
        office.does("promote", "ann", model=model("2"))
        await swapper.activate(office.state)
        office.registered("3")
        office.does("promote", "ann", model=model("3"))
        began_s = time.monotonic()
        while swapper.deployment.slots.champion.version != "3":  # type: ignore[union-attr]
            following = asyncio.ensure_future(swapper.activate(office.state))
            await asyncio.wait([following], timeout=0.4)
            following.cancel()
            await asyncio.wait([following])
            assert time.monotonic() - began_s < 10.0
        call.release()

    run(whole)


def test_a_previous_champion_that_is_gone_stops_nothing() -> None:
    """After a restart the champion serves though the one before it cannot be loaded."""
    office = Office("low")

    async def whole() -> None:
        office.created("1")
        office.registered("2")
        office.does("promote", "ann", model=model("2"))
        swapper = Swapper("churn", Means(Shelf(package("2", function=constant(2.0))).fetch, lambda: 100))
        await swapper.activate(office.state)
        assert swapper.deployment.slots.champion is not None
        assert swapper.deployment.slots.previous is None

    run(whole)


def test_a_package_of_another_tier_than_the_state_says_does_not_serve() -> None:
    """Approvals were counted by the tier in the state; a manifest that says a stricter one was not approved as that."""
    office, risky = Office("low"), package("2", tier="high")

    async def whole() -> None:
        swapper = await serving(office, Shelf(package("1"), risky))
        office.registered("2")
        office.ask("promote", "ann", model=model("2"))
        with pytest.raises(SwapError, match="churn 2 is of tier high, and the state calls it low"):
            await swapper.prepare(office.state)
        office.prepared()
        with pytest.raises(SwapError, match="of tier high"):
            await swapper.activate(office.state)
        assert risky.releases == 2
        assert not risky.made
        assert swapper.versions == {"1"}

    run(whole)
