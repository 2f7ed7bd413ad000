"""Halts in states that an agent does not believe: it stops all the same, and serves again when nobody halts it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from believing import FIRST, PIN, Life
from office import Office
from office_audit import HERE
from served import Package
from signed import command, key, model, signed

from driftline.agents.audit.chain import Chain
from driftline.agents.audit.writer import resumed
from driftline.agents.control.telling import told
from driftline.agents.control.verify_state import StateError


def revoked(office: Office, word: str) -> bytes:
    """Let root keys revoke a key; return the record of the audit that follows the first one."""
    asked = command("key-revoke", "", at_ms=office.now_ms, expected_revision=1, key=key(word).keyid)
    decision = office.send(signed(asked, "root-1", "root-2").to_bytes())[-1]
    chain = Chain(PIN)
    chain.take(FIRST)
    event, fields = told(decision, HERE)
    return resumed(chain).append(event, decision.at_ms, **fields)


async def silenced(life: Life) -> str | None:
    """Return why nothing answers, once the agent has looked."""
    watching = asyncio.create_task(life.controlled.watch())
    await asyncio.sleep(0)
    watching.cancel()
    return life.agent.swappers["churn"].deployment.suspended


def test_a_halt_reaches_an_agent_that_missed_what_a_revoked_key_asked_for(tmp_path: Path) -> None:
    """It was away while version 2 was promoted: it serves version 1 on, stops when somebody halts, and goes on."""
    office = Office("low")

    async def whole() -> None:
        life = Life(tmp_path, office, *(Package(one, tier="low") for one in ("1", "2")))
        life.hears()
        office.created()
        await life.sees(*office.told)
        office.registered("2")
        office.does("promote", "ann", model=model("2"))
        assert life.controlled.audit(revoked(office, "ann"))
        for op, is_silent in (("halt-serving", True), ("resume", False), ("halt-serving", True)):
            office.does(op, "oli", **({"target": "serving"} if op == "resume" else {}))
            with pytest.raises(StateError, match="nobody whose key counts signed a promote"):
                life.controlled.state("churn", office.published())
            assert life.slots.champion.version == "1"
            why = await silenced(life)
            assert (why is not None) == is_silent, op
        assert why == f"oli halted it in revision {office.state.revision}: because"
        office.does("resume", "oli", target="serving")
        office.does("promote", "eve", model=model("2"))
        await life.catches_up()
        assert (life.slots.champion.version, await silenced(life)) == ("2", None)
        await life.end()

    asyncio.run(asyncio.wait_for(whole(), 60))


def test_nobody_but_a_controller_halts_by_a_state_and_no_older_one_does(tmp_path: Path) -> None:
    """One that another key signed, and one older than is believed, stop nothing; the true one lifts it."""
    office = Office("low")

    async def whole() -> None:
        life = Life(tmp_path, office, Package("1", tier="low"))
        life.hears()
        office.created()
        halted = office.does("halt-serving", "oli")
        office.does("resume", "oli", target="serving")
        await life.catches_up()
        later = msgspec.structs.replace(halted, revision=halted.revision + 5, champion=model("9"))
        for data, is_silent in (
            (office.published(halted), False),
            (office.published(later, "ann"), False),
            (office.published(later), True),
        ):
            with pytest.raises(StateError):
                life.controlled.state("churn", data)
            assert (await silenced(life) is not None) == is_silent
        life.controlled.state("churn", office.published())
        assert await silenced(life) is None
        await life.end()

    asyncio.run(asyncio.wait_for(whole(), 60))
