"""How long an agent serves on without news: a restart is none."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from believing import Life
from office import Office
from served import Package, agent, until
from signed import command, plain, signed, text, trust
from wired import Line, posted, run

from driftline.agents.serving import controlled
from driftline.agents.serving.agent import Agent as Serving
from driftline.schemas.control.trust import Agent


async def suspended(life: Life) -> str | None:
    """Start what was believed and give why it answers nobody, if it does not."""
    life.controlled.resume()
    await life.settled()
    watching = asyncio.create_task(life.controlled.watch())
    await asyncio.sleep(0)
    watching.cancel()
    return life.agent.swappers["churn"].deployment.suspended


def test_what_is_stale_is_stopped_whatever_fails_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A machine that gave no thread for what is to be tidied up ended the watch, and all was served for ever."""
    office = Office("low")
    monkeypatch.setattr(controlled, "STALE_EVERY_S", 0.01)

    async def whole() -> None:
        life = Life(tmp_path, office, Package("1", tier="low"))
        life.hears()
        office.created()
        await life.sees(*office.told)
        life.controlled.news()

        def none(_self: Serving) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(Serving, "retire_sinks", none)
        watching = asyncio.create_task(life.controlled.watch())
        await asyncio.sleep(0.05)
        assert not watching.done()
        life.controlled._silence._since_s -= office.state.max_stale_s + 1
        deployment = life.agent.swappers["churn"].deployment
        await until(lambda: deployment.suspended is not None)
        watching.cancel()
        await life.end()

    asyncio.run(whole())
    assert [one.message for one in caplog.records if "is tried again" in one.message] == [
        "Controlled._look failed, and is tried again every 0.01 s"
    ]


def test_an_agent_that_is_started_again_serves_on_no_longer_than_one_that_is_not(tmp_path: Path) -> None:
    """What was heard last counts over restarts: within `max_stale_s` it serves, past it not, until news come."""
    office, package = Office("low"), Package("1", tier="low")

    async def whole() -> None:
        first = Life(tmp_path, office, package)
        first.hears()
        office.created()
        await first.sees(*office.told)
        first.controlled.news()
        await first.end()
        most_ms = round(office.state.max_stale_s * 1000)
        for later_ms, serves in (
            (most_ms - 5_000, True),
            (4_000, True),
            (4_000, False),
            (-most_ms * 9, True),
        ):
            office.now_ms += later_ms
            life = Life(tmp_path, office, package)
            assert (await suspended(life) is None) == serves, later_ms
            if not serves:
                life.controlled.news()
                assert await suspended(life) is None
            await life.end()

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await whole()

    asyncio.run(bounded())


def narrow(office: Office, scope: str) -> None:
    """Let root keys set a trust by which the agent is for another deployment."""
    agents = (Agent(id="serving-1", keys=(text("serving-1"),), deployments=(scope,)),)
    asked = command(
        "trust-set", "", at_ms=office.now_ms, trust=plain(trust(agents=agents)), expected_revision=1
    )
    assert office.send(signed(asked, "root-1", "root-2").to_bytes())[-1].event == "decided"


def test_an_agent_that_is_not_for_it_any_more_serves_it_no_more(tmp_path: Path) -> None:
    """By the trust at once, and by its settings after a restart: it would hear of no halt there."""
    office, package = Office("low"), Package("1", tier="low")

    async def whole() -> None:
        first = Life(tmp_path, office, package)
        first.hears()
        office.created()
        await first.sees(*office.told)
        assert await suspended(first) is None
        await first.end()
        other = Life(tmp_path, office, package, deployments="fraud")
        other.controlled.resume()
        await other.settled()
        assert other.agent.swappers == {}
        await other.end()
        again = Life(tmp_path, office, package)
        again.hears()
        assert await suspended(again) is None
        narrow(office, "fraud")
        assert again.follows()
        assert "not for it any more" in str(await suspended(again))
        await again.end()

    asyncio.run(asyncio.wait_for(whole(), 60))


def test_a_quick_model_that_is_too_stale_answers_nobody(tmp_path: Path) -> None:
    """What is answered at once is held back as all else is."""

    async def whole(made: Serving, line: Line) -> None:
        assert (await line.ask(posted()))[0] == 200
        assert line.tasks == 0
        made.deployments["churn"].suspended = "nothing was heard"
        status, headers, told = await line.ask(posted())
        assert (status, headers["retry-after"]) == (503, "30")
        assert told["error"] == "churn serves nothing: nothing was heard"

    run(lambda: agent(tmp_path), whole)
