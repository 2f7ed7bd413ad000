"""An agent in its first life: when it is ready."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from believing import Life
from office import Office
from served import Package, running, until
from signed import command, key, plain, signed, text
from wired import Line, posted

from driftline.agents.control.verify_state import StateError
from driftline.agents.serving.readiness import CATCH_UP_S
from driftline.schemas.control.trust import Agent


def lived(folder: Path, then: Callable[[Life, Office, Package], Awaitable[None]]) -> None:
    """Let an agent begin that never heard of anything, in an installation that has made version 1 champion."""
    office, package = Office("low"), Package("1", tier="low")
    office.created()

    async def whole() -> None:
        async with asyncio.timeout(60):
            life = Life(folder, office, package)
            life.controlled.resume()
            life.hears()
            await then(life, office, package)
            await life.end()

    asyncio.run(whole())


def test_it_is_not_ready_before_it_heard_all_there_is(tmp_path: Path) -> None:
    """Also when one deployment serves already, however long that takes: another one's state may be in doubt."""

    async def then(life: Life, _office: Office, _package: Package) -> None:
        assert life.agent.app._unready() == "no state was heard yet"
        await life.catches_up()
        assert life.slots.champion.version == "1"
        life.controlled._readiness._began_s -= CATCH_UP_S
        assert life.agent.app._unready() == "no state was heard yet"
        life.controlled.news()
        await asyncio.sleep(0)
        assert life.agent.app._unready() is None

    lived(tmp_path, then)


def test_what_it_does_not_know_may_come_until_it_heard_all_there_is(tmp_path: Path) -> None:
    """503 and when to come again, for callers take a 404 for the last word; 404 once there is no such deployment."""

    async def then(life: Life, _office: Office, _package: Package) -> None:
        async with running(life.agent) as port:
            line = Line(life.agent, *await asyncio.open_connection("127.0.0.1", port))
            for told in (False, True):
                if told:
                    life.controlled.news()
                    await asyncio.sleep(0)
                status, headers, body = await line.ask(posted(path="nobody/infer"))
                assert (status, "retry-after" in headers) == ((404, False) if told else (503, True))
                assert "there is no deployment 'nobody' here" in body["error"]
            line.writer.close()

    lived(tmp_path, then)


def test_what_an_agent_does_not_know_says_nothing_of_others(tmp_path: Path) -> None:
    """Why another deployment serves nothing yet is no caller's of this one."""

    async def then(life: Life, _office: Office, package: Package) -> None:
        package.may_load.clear()
        assert life.controlled._readiness.unheard() == "not all states were heard yet"
        life.controlled.news()
        await asyncio.sleep(0)
        assert life.controlled._readiness.unheard() is None
        package.may_load.set()

    lived(tmp_path, then)


def test_it_is_not_ready_while_a_champion_is_loaded(tmp_path: Path) -> None:
    """It would answer 503 to whoever asks for it."""

    async def then(life: Life, office: Office, package: Package) -> None:
        package.may_load.clear()
        life.controlled.state("churn", office.published())
        life.controlled.news()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert life.agent.app._unready() == "churn: it has not begun yet"
        package.may_load.set()
        await life.settled()
        assert life.agent.app._unready() is None
        assert life.slots.champion.version == "1"

    lived(tmp_path, then)


def test_an_agent_of_a_deployment_without_a_state_is_ready(tmp_path: Path) -> None:
    """Once it heard that there is none."""

    async def then(life: Life, _office: Office, _package: Package) -> None:
        life.controlled.news()
        await asyncio.sleep(0)
        assert life.agent.app._unready() is None

    lived(tmp_path, then)


def test_a_key_that_the_trust_names_for_no_agent_serves_nobody_and_says_so(tmp_path: Path) -> None:
    """It is ready once the roots have added it, and not before; the log says both."""
    office = Office("low")

    async def whole() -> None:
        life = Life(tmp_path, office, Package("1", tier="low"), word="serving-9")
        life.hears()
        life.controlled.news()
        await asyncio.sleep(0)
        why = life.agent.app._unready()
        assert why is not None
        assert why.startswith("the trust names its key for no agent")
        state = office.desk.history.now.ring.state
        agents = (*state.trust.agents, Agent(id="serving-9", keys=(text("serving-9"),)))
        asked = command(
            "trust-set", "", at_ms=office.now_ms, expected_revision=state.version,
            trust=plain(msgspec.structs.replace(state.trust, agents=agents)),
        )  # fmt: skip
        assert office.send(signed(asked, "root-1", "root-2").to_bytes())[-1].event == "decided"
        life.follows()
        assert life.agent.app._unready() is None
        await life.end()

    asyncio.run(whole())


def test_callers_of_what_is_not_believed_are_to_come_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The key behind the champion was revoked: a new instance answers 503 with the reason, and is not ready."""
    caplog.set_level("INFO")
    office = Office("low")
    office.created()
    revoke = command("key-revoke", "", at_ms=office.now_ms, key=key("ann").keyid, expected_revision=1)
    assert office.send(signed(revoke, "root-1", "root-2").to_bytes())[-1].event == "decided"

    async def whole() -> None:
        life = Life(tmp_path, office, Package("1", tier="low"))
        life.hears()
        life.follows()
        with pytest.raises(StateError):
            life.controlled.state("churn", office.published())
        life.controlled.news()
        watching = asyncio.create_task(life.controlled.watch())
        await until(lambda: "churn" in life.agent.deployments)
        async with running(life.agent) as port:
            line = Line(life.agent, *await asyncio.open_connection("127.0.0.1", port))
            status, headers, told = await line.ask(posted())
            assert (status, int(headers["retry-after"]) > 0) == (503, True)
            assert "its state is not believed: nobody whose key counts signed a create" in json.dumps(told)
            status, _, told = await line.ask(b"GET /v2/health/ready HTTP/1.1\r\nhost: a\r\n\r\n")
            assert (status, "churn: its state is not believed" in json.dumps(told)) == (503, True)
            line.writer.close()
        watching.cancel()
        await life.controlled.close()

    asyncio.run(asyncio.wait_for(whole(), 60))
    assert "not ready: churn: its state is not believed" in caplog.text
