"""An agent that serves what signed states say, without Kafka: two phases, restarts, thieves, local halts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from believing import Life, beat
from office import PLAN, Office
from served import Package
from signed import INSTALLATION, model, signed

from driftline.agents.control.verify_state import StateError
from driftline.agents.serving.errors import ServingError
from driftline.schemas.control.command import Plan

Whole = Callable[[], Awaitable[None]]


def run(whole: Whole) -> None:
    """Run a test to its end."""

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await whole()

    asyncio.run(bounded())


def low(version: str, **fields: Any) -> Package:
    """Return a package of low tier."""
    return Package(version, tier="low", **fields)


def local(command: Any, word: str, *approvals: Any) -> bytes:
    """Return a line for the local socket."""
    texts = [one.to_bytes().decode() for one in approvals]
    return json.dumps({"command": signed(command, word).to_bytes().decode(), "approvals": texts}).encode()


def test_a_deployment_is_created_prepared_and_activated(tmp_path: Path) -> None:
    """The first state loads, the second serves; both are acked, signed, and the package is closed only at the end."""
    office, package = Office("low"), low("1")

    async def whole() -> None:
        life = Life(tmp_path, office, package)
        life.hears()
        office.created()
        await life.sees(*office.told)
        assert life.slots.champion.version == "1"
        assert [outcome for _, outcome in life.outcomes()][-2:] == ["prepared", "activated"]
        assert life.agent.app._unready() is None
        found = life.controlled.heartbeat()
        assert found is not None
        assert beat(found[1]).revisions == {"churn": office.state.revision}
        assert not package.made[0].is_closed.is_set()
        await life.end()
        assert package.made[0].is_closed.is_set()

    run(whole)


def test_a_restarted_agent_serves_what_it_believed_last(tmp_path: Path) -> None:
    """Without Kafka and without the audit, from what lies in its folder; older states are not believed afterwards."""
    office = Office("low")

    async def whole() -> None:
        first = Life(tmp_path, office, low("1"), low("2"))
        first.hears()
        office.promoted()
        await first.catches_up()
        assert first.slots.champion.version == "2"
        assert first.slots.previous.version == "1"
        await first.end()
        second = Life(tmp_path, office, low("1"), low("2"))
        second.controlled.resume()
        await second.settled()
        assert second.slots.champion.version == "2"
        assert second.controlled.package_keys(model("2"))
        older = next(one.after for one in office.told if one.after is not None)
        with pytest.raises(StateError, match="is not above"):
            second.controlled.state("churn", office.published(older))
        second.controlled.state("churn", office.published())
        await second.end()

    run(whole)


def test_a_package_that_does_not_load_leaves_what_serves(tmp_path: Path) -> None:
    """The ack of `prepare` says why; the champion serves on, and the agent stays ready."""
    office = Office("low")

    async def whole() -> None:
        life = Life(tmp_path, office, low("1"), low("2", fails="its weights are torn"))
        life.hears()
        office.created()
        await life.sees(*office.told)
        office.registered("2")
        office.ask("shadow", "ann", model=model("2"))
        assert office.state.phase == "prepare"
        await life.catches_up()
        ack = life.post.acks[-1]
        assert (ack.outcome, ack.reason) == ("failed", "its weights are torn")
        assert life.slots.champion.version == "1"
        assert life.agent.app._unready() is None
        await life.end()

    run(whole)


def test_a_forged_state_changes_nothing(tmp_path: Path) -> None:
    """Signed by nobody, by another key, or for another deployment: not believed, and told as refused."""
    office = Office("low")

    async def whole() -> None:
        life = Life(tmp_path, office, low("1"))
        life.hears()
        office.created()
        await life.sees(*office.told)
        before = life.slots
        later = msgspec.structs.replace(office.state, revision=office.state.revision + 1, champion=model("9"))
        for data, said in (
            (office.published(later, "ann"), "no key of a controller"),
            (office.published(later), "serves that is no known version"),
            (b"{}", "no envelope"),
        ):
            with pytest.raises(StateError, match=said):
                life.controlled.state("churn", data)
        life.controlled.refused("churn", later.revision, "it is forged", "")
        assert life.outcomes()[-1] == (later.revision, "refused")
        assert life.slots is before
        await life.end()

    run(whole)


def test_an_agent_serves_what_its_key_is_for(tmp_path: Path) -> None:
    """A key that trust gives to no agent wants no deployment; settings narrow what it wants."""

    async def whole() -> None:
        stranger = Life(tmp_path / "a", Office("low"), word="bob")
        stranger.hears()
        assert not stranger.controlled.wants("churn")
        narrow = Life(tmp_path / "b", Office("low"), deployments="fraud")
        narrow.hears()
        assert narrow.controlled.wants("fraud")
        assert not narrow.controlled.wants("churn")

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    run(whole)


def test_a_local_halt_is_obeyed_kept_and_told(tmp_path: Path) -> None:
    """Signed by an operator, it stops serving at once, survives a restart, and waits to be told to the controller."""
    office = Office("low")

    async def whole() -> None:
        life = Life(tmp_path, office, low("1"))
        life.hears()
        office.created()
        await life.sees(*office.told)
        halt = office.build("halt-serving")
        assert life.controlled.command(local(halt, "oli")) == ("churn", None)
        await life.settled()
        assert life.slots.answering is None
        assert life.slots.halted == "halted by oli: because"
        with pytest.raises(ServingError, match="obeyed before"):
            life.controlled.command(local(halt, "oli"))
        await life.end()
        again = Life(tmp_path, office, low("1"))
        again.controlled.resume()
        await again.settled()
        assert again.slots.answering is None
        (told,) = again.controlled.untold()
        office.send(told)
        assert office.state.halt is not None
        again.controlled.told(told)
        assert again.controlled.untold() == []
        again.hears()
        await again.catches_up()
        assert again.controlled.belief.local == {}
        assert again.slots.answering is None
        office.does("resume", "oli", target="serving")
        await again.catches_up()
        assert again.slots.answering.version == "1"
        await again.end()

    run(whole)


def test_local_commands_of_others_are_not_obeyed(tmp_path: Path) -> None:
    """Another op, another installation, expired, by somebody who may not, of a deployment that is not here, no JSON."""
    office = Office("low")

    async def whole() -> None:
        life = Life(tmp_path, office, low("1"))
        life.hears()
        office.created()
        await life.sees(*office.told)
        old = office.build("halt-serving", at_ms=office.now_ms - 3_600_000)
        for line, said in (
            (local(office.build("promote", model=model("1")), "oli"), "goes through the controller"),
            (
                local(office.build("halt-serving", audience=INSTALLATION[:-1] + "f"), "oli"),
                "another installation",
            ),
            (local(old, "oli"), "it expired"),
            (local(office.build("halt-serving", at_ms=office.now_ms + 60_001), "oli"), "1 ms after now"),
            (local(msgspec.structs.replace(old, expires_at_ms=office.now_ms + 1), "oli"), "it is to expire"),
            (local(office.build("rollback", model=model("1")), "val"), "does not let val"),
            (local(office.build("halt-serving"), "mallory"), "nobody whose key counts"),
            (local(office.build("halt-serving", deployment="fraud"), "oli"), "serves no fraud"),
            (local(office.build("halt-rollout"), "oli"), "no rollout of churn"),
            (b"\xff", "not obeyed"),
            (b"[]", "not obeyed"),
        ):
            with pytest.raises(ServingError, match=said):
                life.controlled.command(line)
        assert life.slots.answering.version == "1"
        await life.end()

    run(whole)


def test_a_local_rollback_goes_back_to_the_previous_champion(tmp_path: Path) -> None:
    """At once, for it is still loaded; it holds until a state says the same, or a later command otherwise."""
    office = Office("low")

    async def whole() -> None:
        life = Life(tmp_path, office, low("1"), low("2"))
        life.hears()
        office.promoted(plan=Plan(bake_s=3_600))
        await life.catches_up()
        assert life.slots.champion.version == "2"
        back = office.build("rollback", model=model("1"))
        life.controlled.command(local(back, "oli"))
        await life.settled()
        assert life.slots.champion.version == "1"
        office.send(life.controlled.untold()[0])
        office.prepared()
        await life.catches_up()
        assert life.controlled.belief.local == {}
        assert life.slots.champion.version == "1"
        await life.end()

    run(whole)


def test_what_is_too_stale_is_not_served(tmp_path: Path) -> None:
    """Past `max_stale_s` without news the deployment answers nothing, and answers again with the next news."""
    office = Office("low")

    async def whole() -> None:
        life = Life(tmp_path, office, low("1"))
        life.hears()
        office.created()
        await life.sees(*office.told)
        deployment = life.agent.swappers["churn"].deployment
        life.controlled.news()
        life.controlled._silence._since_s -= office.state.max_stale_s + 1
        watching = asyncio.create_task(life.controlled.watch())
        await asyncio.sleep(0)
        assert "nothing was heard" in (deployment.suspended or "")
        watching.cancel()
        life.controlled.news()
        watching = asyncio.create_task(life.controlled.watch())
        await asyncio.sleep(0)
        assert deployment.suspended is None
        watching.cancel()
        await life.end()

    run(whole)


def test_a_canary_and_its_weight_follow_the_states(tmp_path: Path) -> None:
    """Each step changes the weight and nothing that is loaded."""
    office = Office("low")

    async def whole() -> None:
        second = low("2")
        life = Life(tmp_path, office, low("1"), second)
        life.hears()
        office.canary(plan=PLAN)
        await life.catches_up()
        assert (life.slots.canary.version, life.slots.weight) == ("2", 500)
        office.stepped()
        await life.catches_up()
        assert (life.slots.canary.version, life.slots.weight) == ("2", 5_000)
        assert len(second.made) == 1
        await life.end()

    run(whole)
