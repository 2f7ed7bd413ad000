"""A restarted agent: when it is ready, what it makes of another state of a revision, what it owes, and its spool."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from believing import Life
from msgspec.structs import replace
from office import Office
from served import Package
from signed import model, signed

from driftline.agents.control.verify_state import StateError
from driftline.agents.serving.agent import Agent
from driftline.agents.serving.readiness import CATCH_UP_S
from driftline.schemas.control.command import Command
from driftline.schemas.control.envelope import Envelope
from driftline.schemas.settings import Kafka, Settings


def lived(folder: Path, office: Office, then: Callable[[Life], Awaitable[None]]) -> None:
    """Let an agent serve version 1, end, and begin again while version 2 was promoted; hold what is so then."""

    def life() -> Life:
        return Life(folder, office, Package("1", tier="low"), Package("2", tier="low"))

    async def whole() -> None:
        first = life()
        first.hears()
        office.created()
        await first.catches_up()
        await first.end()
        office.promoted()
        second = life()
        second.controlled.resume()
        await second.settled()
        assert second.slots.champion.version == "1"
        await then(second)
        await second.end()

    asyncio.run(whole())


def test_a_restarted_agent_is_ready_once_it_has_caught_up(tmp_path: Path) -> None:
    """Not with the version of before, nor while the newest state is being carried out."""
    office = Office("low")

    async def then(life: Life) -> None:
        unready = life.agent.app._unready
        assert unready() == "its newest state was not heard yet"
        life.hears()
        life.controlled.state("churn", office.published())
        life.controlled.news()
        assert unready() == "its newest state was not heard yet", "the loop has not taken it up"
        await asyncio.sleep(0)
        assert unready() == "its newest state is being carried out"
        await life.settled()
        assert unready() is None
        assert life.slots.champion.version == "2"

    lived(tmp_path, office, then)


def test_a_restarted_agent_without_kafka_is_ready_after_a_while(tmp_path: Path) -> None:
    """It serves on with what it believed: nobody may ever tell it more."""

    async def then(life: Life) -> None:
        assert life.agent.app._unready() is not None
        life.controlled._readiness._began_s -= CATCH_UP_S
        assert life.agent.app._unready() is None

    lived(tmp_path, Office("low"), then)


def test_another_state_of_the_same_revision_is_refused(tmp_path: Path) -> None:
    """Said again it is no news; saying something else it is not believed, whoever's key signed it."""
    office = Office("low")

    async def then(life: Life) -> None:
        life.hears()
        await life.catches_up()
        life.controlled.state("churn", office.published())
        forged = replace(office.state, champion=model("1"), previous=None)
        for word in ("controller", "ann"):
            with pytest.raises(StateError):
                life.controlled.state("churn", office.published(forged, word))
        before = life.controlled.standing("churn")
        assert before is not None
        assert life.controlled.fault("churn", office.published(forged), before) is not None
        assert life.controlled.fault("churn", office.published(), before) is None
        assert life.slots.champion.version == "2"

    lived(tmp_path, office, then)


def test_all_versions_of_a_process_share_a_spool(tmp_path: Path) -> None:
    """So that whoever emits next sends what a version left that serves no more."""

    async def whole() -> None:
        settings = Settings(kafka=Kafka(bootstrap="127.0.0.1:9"))
        agent = Agent(settings, "test-0", lambda _: Package("1"), tmp_path)
        sinks = [agent.teller("churn", version, "champion") for version in ("1", "2")]
        with sinks[0] as one:
            one.log({"a": 1.0})
        with sinks[1] as two:
            two.log({"a": 1.0})
            assert not two.flush(0.5)
            assert [book.instance for book in two.stats().adopted] == [one.stats().instance]
        await agent.close()

    asyncio.run(whole())


def test_a_local_command_with_another_one_beside_it_is_told_too(tmp_path: Path) -> None:
    """Halted and then taken back here while Kafka is away: both hold, and are told, in order, and each once."""
    office = Office("low")

    async def then(life: Life) -> None:
        life.hears()
        await life.catches_up()
        halt, back = office.build("halt-serving"), office.build("rollback", model=model("1"))
        for asked in (halt, back):
            text = signed(asked, "oli").to_bytes().decode()
            life.controlled.command(json.dumps({"command": text}).encode())
        await life.settled()
        assert life.slots.answering is None
        owed = life.controlled.untold()
        assert [Command.from_bytes(Envelope.from_bytes(one).body).op for one in owed] == [
            "halt-serving",
            "rollback",
        ]
        life.controlled.told(owed[0])
        assert life.controlled.untold() == owed[1:]
        again = Life(tmp_path, office, Package("1", tier="low"), Package("2", tier="low"))
        assert again.controlled.untold() == owed[1:]
        await again.end()

    lived(tmp_path, office, then)
