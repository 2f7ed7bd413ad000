"""Halts in states that an agent does not believe: it stops all the same, and serves again when nobody halts it."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import msgspec
import pytest
from believing import Life
from office import Office
from served import Package
from signed import command, key, model, signed

from driftline.agents.audit.errors import AuditError
from driftline.agents.control.verify_state import StateError
from driftline.agents.serving.told import MOST, Told
from driftline.schemas.control.serving_state import ServingState


def revoked(office: Office, word: str) -> None:
    """Let root keys revoke a key."""
    asked = command("key-revoke", "", at_ms=office.now_ms, expected_revision=1, key=key(word).keyid)
    assert office.send(signed(asked, "root-1", "root-2").to_bytes())[-1].event == "decided"


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
        revoked(office, "ann")
        assert life.follows()
        for op, is_silent in (("halt-serving", True), ("resume", False), ("halt-serving", True)):
            office.does(op, "oli", **({"target": "serving"} if op == "resume" else {}))
            life.follows()
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


def test_the_newest_state_that_the_audit_tells_of_halts_and_nothing_else(tmp_path: Path) -> None:
    """Older ones, shown again by whoever may write the topic, and what a stolen key signed, neither halt nor lift."""
    office = Office("low")

    async def whole() -> None:
        life = Life(tmp_path, office, *(Package(one, tier="low") for one in ("1", "2")))
        life.hears()
        believed = office.created()
        await life.sees(*office.told)
        office.registered("2")
        missed = office.does("promote", "ann", model=model("2"))
        revoked(office, "ann")
        halted = office.does("halt-serving", "oli")
        later = msgspec.structs.replace(halted, halt=None, revision=halted.revision + 1)
        stolen = msgspec.structs.replace(believed, revision=halted.revision + 10**9)
        life.follows()

        def comes(state: ServingState, word: str = "controller") -> None:
            with contextlib.suppress(StateError):
                life.controlled.state("churn", office.published(state, word))

        comes(halted, "ann")
        assert await silenced(life) is None
        comes(halted)
        assert await silenced(life) is not None
        for state in (missed, believed, later, stolen):
            comes(state)
            assert await silenced(life) is not None
        resumed = office.does("resume", "oli", target="serving")
        life.follows()
        comes(resumed)
        assert await silenced(life) is None
        for state in (halted, msgspec.structs.replace(halted, revision=resumed.revision + 1)):
            comes(state)
            assert await silenced(life) is None
        assert life.controlled.belief.believed["churn"].state == believed
        await life.end()

    asyncio.run(asyncio.wait_for(whole(), 60))


def test_a_state_of_which_the_audit_tells_nothing_holds_up_nothing(tmp_path: Path) -> None:
    """Whoever stole the controller's key shows what is so under a revision far ahead: the true states count on."""
    office = Office("low")

    async def whole() -> None:
        life = Life(tmp_path, office, Package("1", tier="low"))
        life.hears()
        now = office.created()
        await life.sees(*office.told)
        for revision in (now.revision + 1, 2**53 - 1):
            with pytest.raises(StateError, match="is none that the audit tells of"):
                life.controlled.state(
                    "churn", office.published(msgspec.structs.replace(now, revision=revision))
                )
        office.does("halt-serving", "oli")
        with pytest.raises(StateError, match="is none that the audit tells of"):
            life.controlled.state("churn", office.published())
        await life.catches_up()
        assert life.slots.halted is not None
        await life.end()

    asyncio.run(asyncio.wait_for(whole(), 60))


@pytest.mark.parametrize(
    "rubbish", [b'{"deployment":5,"state_after":"ab"}', b'{"state_after":5}', b'"state_after"']
)
def test_a_record_that_tells_of_no_state_is_said(rubbish: bytes) -> None:
    """Whoever may write the audit puts a record there that is none: the agent says so, and reads it again."""
    with pytest.raises(AuditError, match="tells of no state"):
        Told().take(rubbish)


def test_few_states_of_a_deployment_are_known() -> None:
    """The newest ones: an audit of any length needs no more memory for a deployment."""
    told = Told()
    for number in range(3 * MOST):
        told.take(b'{"deployment":"churn","state_after":"%d"}' % number)
    assert [digest for digest, *_ in told._of["churn"]] == [str(one) for one in range(2 * MOST, 3 * MOST)]
