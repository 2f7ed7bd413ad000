"""Agents that missed states, or hear many in a row: they leave what is over at once, and begin no load anew."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from msgspec.structs import replace
from office import PLAN, Office
from served import Package, Shelf, until
from signed import model

from driftline.agents.control.lifecycle import cancel
from driftline.agents.serving.director import Director
from driftline.agents.serving.errors import SwapError
from driftline.agents.serving.means import Means
from driftline.agents.serving.swap import Swapper


def package(version: str, **fields: Any) -> Package:
    """Return a package of low tier."""
    return Package(version, **({"tier": "low"} | fields))


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


@pytest.mark.parametrize("phase", ["activate", "prepare"])
def test_a_load_that_goes_on_is_judged_by_the_newest_state(phase: str) -> None:
    """What a state calls another tier serves nowhere by it, though it loads for a state before; nor the next time."""
    office, risky = Office("low"), package("2", tier="high")

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(package("1"), risky).fetch, lambda: 100))
        office.created("1")
        await swapper.activate(office.state)
        office.registered("2")
        office.ask("canary", "ann", model=model("2"), plan=PLAN)
        false = office.state if phase == "prepare" else office.prepared()
        true = replace(
            false,
            versions=tuple(
                replace(one, tier="high") if one.model == model("2") else one for one in false.versions
            ),
        )
        serve = swapper.activate if phase == "activate" else swapper.prepare
        risky.may_load.clear()
        first = asyncio.ensure_future(serve(true))
        await until(lambda: bool(swapper._loading))
        first.cancel()
        following = asyncio.ensure_future(serve(false))
        await asyncio.sleep(0)
        risky.may_load.set()
        for again in (following, serve(false)):
            try:
                said = await again
            except SwapError as error:
                said = str(error)
            assert "of tier high, and the state calls it low" in (said or "")
            assert swapper.deployment.slots.canary is None
        assert swapper.versions == {"1"}
        assert await serve(true) is None
        assert "2" in swapper.versions or phase == "prepare"

    asyncio.run(whole())


def test_what_is_prepared_stays_while_something_beside_does_not_load() -> None:
    """States that prepare the same, one after another, load it once."""
    office = Office("low")
    packages = [package("1"), package("2", fails="its weights are torn"), package("3")]
    said = list[str]()

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, lambda: 100))
        director = Director(swapper, lambda _name, _revision, outcome, _why, _s: said.append(outcome))
        for number in "123":
            office.registered(number)
        office.does("create", "ann", model=model("1"))
        office.does("shadow", "ann", model=model("2"))
        office.ask("promote", "ann", model=model("3"))
        for later in range(3):
            director.take(replace(office.state, revision=office.state.revision + later))
            await director.settled()
        assert (said, len(packages[2].made)) == (["prepared"] * 3, 1)
        assert swapper.versions == {"1", "3"}

    asyncio.run(whole())


def test_a_true_state_is_not_told_what_a_false_one_was() -> None:
    """The load that a false state began is judged by the true one that came meanwhile."""
    office, slow = Office("low"), package("2")

    async def whole() -> None:
        may_fetch = threading.Event()
        shelf = Shelf(package("1"), slow)

        def fetch(ref: Any) -> Package:
            assert ref.version == "1" or may_fetch.wait(30)
            return shelf.fetch(ref)

        swapper = Swapper("churn", Means(fetch, lambda: 100))
        office.created("1")
        await swapper.activate(office.state)
        office.registered("2")
        office.ask("promote", "ann", model=model("2"))
        false = replace(
            office.state, versions=tuple(replace(one, tier="high") for one in office.state.versions)
        )
        first = asyncio.ensure_future(swapper.prepare(false))
        await until(lambda: bool(swapper._loading))
        first.cancel()
        following = asyncio.ensure_future(swapper.prepare(office.state))
        await asyncio.sleep(0)
        may_fetch.set()
        await following
        assert swapper.versions == {"1", "2"}

    asyncio.run(whole())


def test_a_canary_answers_as_soon_as_it_is_here() -> None:
    """It waits for no shadow, and states in a row load neither anew."""
    office, slow = Office("low"), package("3")
    packages = [package("1"), package("2"), slow]

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, lambda: 100))
        for number in "123":
            office.registered(number)
        office.does("create", "ann", model=model("1"))
        office.does("shadow", "ann", model=model("3"))
        office.does("canary", "ann", model=model("2"), plan=PLAN)
        slow.may_load.clear()
        for _ in range(3):
            serving = asyncio.ensure_future(swapper.activate(office.state))
            await until(lambda: swapper.deployment.slots.canary is not None)
            await until(lambda: bool(swapper._loading))
            serving.cancel()
            await asyncio.wait([serving])
        slow.may_load.set()
        assert await swapper.activate(office.state) is None
        assert [len(one.made) for one in packages] == [1, 1, 1]

    asyncio.run(whole())


def test_whoever_waits_for_a_state_may_stop_waiting() -> None:
    """It is carried out all the same."""
    office, slow = Office("low"), package("1")

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(slow).fetch, lambda: 100))
        director = Director(swapper, lambda *_said: None)
        office.created("1")
        slow.may_load.clear()
        director.take(office.state)
        waiting = asyncio.ensure_future(director.settled())
        await until(lambda: bool(swapper._loading))
        waiting.cancel()
        await asyncio.wait([waiting], timeout=1.0)
        assert waiting.cancelled()
        slow.may_load.set()
        await director.settled()
        assert director.is_done

    asyncio.run(whole())


@pytest.mark.parametrize("again", [True, False])
def test_what_an_older_state_prepared_goes_though_what_is_to_answer_does_not_load(*, again: bool) -> None:
    """Unless the newest state prepares it too."""
    office = Office("low")
    packages = [package("1"), package("2"), package("3", fails="its weights are torn")]

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, lambda: 100))
        for number in "123":
            office.registered(number)
        office.does("create", "ann", model=model("1"))
        await swapper.activate(office.state)
        office.ask("promote", "ann", model=model("2"))
        await swapper.prepare(office.state)
        office.desk.move(cancel(office.state, office.desk.at(office.now_ms)), "not yet", office.now_ms)
        office.does("promote", "ann", model=model("3"))
        if again:
            office.ask("promote", "ann", model=model("2"))
        with pytest.raises(SwapError, match="its weights are torn"):
            await swapper.activate(office.state)
        assert swapper.versions == ({"1", "2"} if again else {"1"})

    asyncio.run(whole())
