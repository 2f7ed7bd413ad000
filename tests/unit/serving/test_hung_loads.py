"""Loads that hang or end strangely, and threads that cannot be had: they hold up their own deployment, for a while."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from office import Office
from served import Package, Shelf, agent, until
from signed import model
from wired import Line, posted, run

from driftline.agents.control.lifecycle import cancel
from driftline.agents.serving import director, work
from driftline.agents.serving.agent import Agent
from driftline.agents.serving.director import Director
from driftline.agents.serving.errors import SwapError
from driftline.agents.serving.means import Means
from driftline.agents.serving.slots import Loaded
from driftline.agents.serving.swap import Swapper

Told = list[tuple[str, str]]


def directed(
    told: Told, *packages: Package, name: str = "churn", turns: work.Turns | None = None
) -> tuple[Swapper, Director]:
    """A deployment's swapper and its director, which tells outcomes and reasons."""
    means = Means(Shelf(*packages).fetch, lambda: 100, turns=turns or work.Turns())
    swapper = Swapper(name, means)
    return swapper, Director(swapper, lambda _name, _revision, outcome, why, _s: told.append((outcome, why)))


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(director, "RETRY_S", 0.02)
    return iter(())


class Raises(Package):
    """A package whose first load raises what is no error of a model."""

    raised: BaseException | None = None

    def load(self) -> Loaded:
        """Raise, once."""
        error, self.raised = self.raised, None
        if error is not None:
            raise error
        return super().load()


def test_a_deployment_whose_loads_hang_holds_up_no_other() -> None:
    """Each that was given up leaves its turn; with four of them no other of the deployment is begun, and it is said."""
    go_on = threading.Event()

    begun = list[None]()

    class Hangs(Package):
        def load(self) -> Loaded:
            begun.append(None)
            assert go_on.wait(60)
            return super().load()

    async def whole() -> None:
        office, told = Office("low"), Told()
        office.created("1")
        office.registered("2")
        hangs = Hangs("2", tier="low")
        turns = work.Turns()
        _, one = directed(told, Package("1", tier="low"), hangs, turns=turns)
        one.take(office.state)
        await one.settled()
        await until(lambda: work.under_way() == 0)
        for turn in range(work.AT_ONCE + 2):
            office.ask("promote", "ann", model=model("2"))
            one.take(office.state)
            if turn < work.MOST_HUNG:
                await until(lambda: len(begun) > turn)  # noqa: B023 - it is over within the turn
            else:
                await one.settled()
                assert told[-1] == (
                    "failed",
                    "4 loads of churn were given up and have not ended: if they hang, restart the agent",
                )
            office.told += office.desk.move(
                cancel(office.state, office.desk.at(office.now_ms)), "slow", office.now_ms
            )
            one.take(office.state)
            await one.settled()
        await until(lambda: work.under_way() == work.MOST_HUNG)
        other, two = directed(told, Package("1", tier="low"), name="fraud", turns=turns)
        beside = Office("low")
        beside.created("1")
        two.take(beside.state)
        async with asyncio.timeout(10):
            await two.settled()
        assert other.versions == {"1"}
        go_on.set()
        await until(lambda: work.under_way() == 0)
        office.ask("promote", "ann", model=model("2"))
        one.take(office.state)
        await one.settled()
        assert told[-1] == ("prepared", "")
        await until(lambda: hangs.releases == work.MOST_HUNG)

    asyncio.run(whole())


@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize("raised", [SystemExit(3), StopIteration("odd"), KeyboardInterrupt()])
def test_whatever_a_load_raises_is_told_and_tried_again(raised: BaseException) -> None:
    """It ends neither the loop nor the deployment's director."""

    async def whole() -> None:
        office, told = Office("low"), Told()
        office.created("1")
        package = Raises("1", tier="low")
        package.raised = raised
        swapper, one = directed(told, package)
        one.take(office.state)
        await until(lambda: bool(told))
        assert told[0][0] == "failed"
        assert str(raised) in told[0][1]
        async with asyncio.timeout(10):
            await one.settled()
        assert (told[-1][0], swapper.versions, one.lacking) == ("activated", {"1"}, None)

    asyncio.run(whole())


@pytest.mark.parametrize("raised", [SystemExit(3), StopIteration("odd")])
def test_work_that_raises_what_no_future_takes_wakes_whoever_waits(raised: BaseException) -> None:
    """With an error that names it."""

    def odd() -> None:
        raise raised

    async def whole() -> None:
        async with asyncio.timeout(10):
            with pytest.raises(RuntimeError, match=type(raised).__name__):
                await work.background(odd)

    asyncio.run(whole())


@pytest.mark.usefixtures("_soon")
def test_a_thread_that_cannot_be_had_is_a_failed_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and tried again until there is one."""

    def none(_thread: Any) -> None:
        raise RuntimeError("can't start new thread")

    async def whole() -> None:
        office, told = Office("low"), Told()
        office.created("1")
        swapper, one = directed(told, Package("1", tier="low"))
        with monkeypatch.context() as without:
            without.setattr(threading.Thread, "start", none)
            with pytest.raises(SwapError, match="no thread can be had"):
                work.background(lambda: None)
            one.take(office.state)
            await until(lambda: len(told) > 1)
        assert told[0] == (
            "failed",
            "no thread can be had to load in (can't start new thread): let the agent have more",
        )
        async with asyncio.timeout(10):
            await one.settled()
        assert (told[-1][0], swapper.versions, one.lacking) == ("activated", {"1"}, None)

    asyncio.run(whole())


def test_an_agent_that_gets_no_thread_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, to be tried again; it answers as soon as there is one."""

    def none(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def whole(_made: Agent, line: Line) -> None:
        with monkeypatch.context() as without:
            without.setattr(threading.Thread, "start", none)
            status, headers, told = await line.ask(posted())
        assert (status, headers["retry-after"]) == (503, "1")
        assert told["error"] == "churn has no thread, and none can be started: let the agent have more"
        assert (await line.ask(posted()))[0] == 200

    run(lambda: agent(tmp_path, threads=1, inline_seconds=0.0), whole)


@pytest.mark.parametrize("why", ["turn", "thread"])
def test_what_never_begins_is_let_go_of(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given up while it waited for its turn, or without a thread: its files are not held for ever."""
    said = list[str]()

    def none(_thread: Any) -> None:
        raise RuntimeError("can't start new thread")

    async def whole() -> None:
        turns, go_on = work.Turns(), threading.Event()
        busy = work.Work("fraud", turns)
        many = work.AT_ONCE if why == "turn" else 0
        loads = [asyncio.create_task(busy.do(go_on.wait, lambda _: None)) for _ in range(many)]
        await asyncio.sleep(0)
        with monkeypatch.context() as without:
            if why == "thread":
                without.setattr(threading.Thread, "start", none)
            asked = work.Work("churn", turns).do(
                lambda: said.append("begun"), lambda _: said.append("disposed"), lambda: said.append("let go")
            )
            waiting = asyncio.create_task(asked)
            await asyncio.wait([waiting], timeout=0.05)
            waiting.cancel()
            await asyncio.wait([waiting])
        go_on.set()
        await asyncio.gather(*loads)

    asyncio.run(whole())
    assert said == ["let go"]


def test_what_gets_no_thread_to_close_in_is_closed_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays in memory until there is one, and is not forgotten."""
    packages = [Package(str(number), tier="low") for number in (1, 2)]

    def none(_thread: Any) -> None:
        raise RuntimeError("can't start new thread")

    async def whole() -> None:
        office = Office("low")
        office.created("1")
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, lambda: 100))
        await swapper.activate(office.state)
        office.registered("2")
        office.ask("promote", "ann", model=model("2"))
        await swapper.prepare(office.state)
        with monkeypatch.context() as without:
            without.setattr(threading.Thread, "start", none)
            swapper.cancel()
        assert swapper.versions == {"1", "2"}
        swapper.cancel()
        assert swapper.versions == {"1"}
        await until(packages[1].made[0].is_closed.is_set)

    asyncio.run(whole())


def test_a_load_that_gets_no_thread_lets_its_files_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was fetched, and is tried again: with its files held each time none would be left."""
    package, start = Package("1", tier="low"), threading.Thread.start
    begun = list[None]()

    def first(thread: threading.Thread) -> None:
        begun.append(None)
        if len(begun) > 1:
            raise RuntimeError("can't start new thread")
        start(thread)

    async def whole() -> None:
        office, turns = Office("low"), work.Turns()
        office.created("1")
        swapper = Swapper("churn", Means(Shelf(package).fetch, lambda: 100, turns=turns))
        with monkeypatch.context() as scarce:
            scarce.setattr(threading.Thread, "start", first)
            with pytest.raises(SwapError, match="no thread can be had"):
                await swapper.activate(office.state)
        assert (package.releases, turns.taking_bytes) == (1, 0)

    asyncio.run(whole())
