"""What stands beside who answers: a canary, a shadow or a halted champion that cannot be loaded stops nobody."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from believing import Life
from office import Office
from served import Package, Shelf, until
from signed import model, signed

from driftline.agents.control.moves import baked
from driftline.agents.control.verdicts import Refusal
from driftline.agents.serving.errors import SwapError
from driftline.agents.serving.means import Means
from driftline.agents.serving.swap import Swapper


def package(version: str, **fields: Any) -> Package:
    """Return a package of low tier."""
    return Package(version, tier="low", **fields)


def local(office: Office, op: Any, **fields: Any) -> bytes:
    """A command for the agent itself."""
    office.now_ms += 1_000
    asked = signed(office.build(op, **fields), "oli").to_bytes()
    return msgspec.json.encode({"command": asked.decode()})


@pytest.mark.parametrize("slot", ["shadow", "canary"])
def test_a_restart_serves_though_what_is_beside_the_champion_does_not_load(tmp_path: Path, slot: str) -> None:
    """The champion answers and the agent is ready; its ack says what is missing, and changes nothing in memory."""
    office = Office("low")
    office.created("1")
    if slot == "canary":
        office.canary("2")
    else:
        office.registered("2")
        office.does("shadow", "ann", model=model("2"))

    async def whole() -> None:
        life = Life(tmp_path, office, package("1"), package("2", fails="its weights are torn"))
        life.hears()
        await life.sees()
        life.controlled.state("churn", office.published())
        await until(lambda: bool(life.post.acks))
        assert (life.slots.answering.version, life.slots.canary, life.slots.shadows) == ("1", None, ())
        assert life.outcomes() == [(office.state.revision, "failed")]
        assert "its weights are torn" in life.post.acks[0].reason
        assert life.agent.lacking() is None
        assert life.agent.swappers["churn"].versions == {"1"}
        await life.end()

    asyncio.run(whole())


@pytest.mark.parametrize("where", ["here", "by the controller"])
def test_a_shadow_that_does_not_load_is_in_the_way_of_no_way_back(tmp_path: Path, where: str) -> None:
    """Whoever goes back to a version in memory does so at once."""
    office = Office("low")

    async def whole() -> None:
        life = Life(tmp_path, office, package("1"), package("2"), package("3", fails="its weights are torn"))
        life.hears()
        office.created("1")
        office.registered("2")
        office.does("promote", "ann", model=model("2"))
        await life.catches_up()
        office.registered("3")
        office.does("shadow", "ann", model=model("3"))
        life.follows()
        life.controlled.state("churn", office.published())
        await until(lambda: life.outcomes()[-1] == (office.state.revision, "failed"))
        assert life.slots.answering.version == "2"
        if where == "here":
            life.controlled.command(local(office, "rollback", model=model("1")))
        else:
            office.does("rollback", "oli", model=model("1"))
            life.follows()
            life.controlled.state("churn", office.published())
        await until(lambda: life.slots.answering.version == "1")
        await life.end()

    asyncio.run(whole())


def test_gauges_tell_of_a_revision_that_serves_in_part(tmp_path: Path) -> None:
    """Its number, and that its canary is asked again, though a shadow of it does not load."""
    office = Office("low")

    async def whole() -> None:
        life = Life(tmp_path, office, package("1"), package("2"), package("3", fails="its weights are torn"))
        life.hears()
        office.canary("2")
        await life.catches_up()
        life.agent.deployments["churn"].canary_failed(1)
        assert gauges(life) == (office.state.revision, 1)
        office.registered("3")
        office.does("shadow", "ann", model=model("3"))
        life.follows()
        life.controlled.state("churn", office.published())
        await until(lambda: life.outcomes()[-1] == (office.state.revision, "failed"))
        assert gauges(life) == (office.state.revision, 0)
        await life.end()

    asyncio.run(whole())


def gauges(life: Life) -> tuple[float | None, ...]:
    """Return what Prometheus reads of the revision, and of the canary."""
    names = "driftline_serving_revision", "driftline_serving_canary_closed"
    return tuple(life.agent.registry.get_sample_value(name, {"deployment": "churn"}) for name in names)


def test_a_halt_waits_for_no_version_that_is_to_answer_instead() -> None:
    """Nobody answers until it is here, and nobody at all when it never comes; the halted one does not."""
    office, instead = Office("low"), package("1")

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(instead, package("2")).fetch, lambda: 100))
        office.created("1")
        office.registered("2")
        office.does("promote", "ann", model=model("2"))
        office.now_ms += 10_000_000
        made = baked(office.state, office.desk.at(office.now_ms))
        assert not isinstance(made, Refusal)
        office.told += office.desk.move(made, "its bake time is over", office.now_ms)
        await swapper.activate(office.state)
        assert swapper.versions == {"2"}
        instead.may_load.clear()
        office.does("halt-serving", "oli", model=model("1"))
        halting = asyncio.ensure_future(swapper.activate(office.state))
        await until(lambda: swapper.deployment.slots.halted is not None)
        assert swapper.deployment.slots.answering is None
        instead.may_load.set()
        assert await halting is None
        assert swapper.deployment.slots.answering.version == "1"  # type: ignore[union-attr]

    asyncio.run(whole())


def test_a_halted_champion_that_does_not_load_is_in_the_way_of_nobody_instead() -> None:
    """After a restart the earlier one answers, though what was halted for being broken is so still."""
    office = Office("low")
    office.created("1")
    office.registered("2")
    office.does("promote", "ann", model=model("2"))
    office.does("halt-serving", "oli", model=model("1"))

    async def whole() -> None:
        shelf = Shelf(package("1"), package("2", fails="its weights are torn"))
        swapper = Swapper("churn", Means(shelf.fetch, lambda: 100))
        for _ in range(2):
            assert await swapper.activate(office.state) == "its weights are torn"
            assert swapper.deployment.slots.answering.version == "1"  # type: ignore[union-attr]

    asyncio.run(whole())


def test_what_does_not_load_is_let_go_of_each_time() -> None:
    """It is tried again every half minute: with its files held each time, none would be left for connections."""
    office, torn = Office("low"), package("1", fails="its weights are torn")

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(torn).fetch, lambda: 100))
        office.created("1")
        for times in (1, 2):
            with pytest.raises(SwapError, match="its weights are torn"):
                await swapper.activate(office.state)
            assert torn.releases == times

    asyncio.run(whole())


@pytest.mark.parametrize("when", ["it loads", "it is here"])
def test_a_shadow_in_memory_is_kept_while_its_champion_comes_and_an_older_one_drains(when: str) -> None:
    """Until both turn, the last call of an older champion ends: what is to stand beside is not swept away with it."""
    office, coming, beside = Office("low"), package("3"), package("4")

    async def whole() -> None:
        shelf = Shelf(package("1"), package("2"), coming, beside)
        swapper = Swapper("churn", Means(shelf.fetch, lambda: 100))
        deployment = swapper.deployment
        office.created("1")
        await swapper.activate(office.state)
        oldest = deployment.slots.champion
        assert oldest is not None
        call = deployment.lease(oldest)
        office.registered("2")
        office.does("promote", "ann", model=model("2"))
        await swapper.activate(office.state)
        office.registered("3")
        office.does("promote", "ann", model=model("3"))
        office.registered("4")
        office.ask("shadow", "ann", model=model("4"))
        await swapper.prepare(office.state)
        office.prepared()
        coming.may_load.clear()
        following = asyncio.ensure_future(swapper.activate(office.state))
        await until(lambda: model("3") in swapper._loading)
        if when == "it is here":
            coming.may_load.set()
            await until(lambda: model("3") in swapper._loaded)
        call.release()
        coming.may_load.set()
        await following
        slots = deployment.slots
        assert slots.champion is not None
        assert (slots.champion.version, [one.version for one in slots.shadows]) == ("3", ["4"])
        assert not beside.made[0].is_closed.is_set()

    asyncio.run(whole())
