"""Keys that are revoked while a change that they signed is under way: nobody is told to load what none believes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from clerked import Room, created
from controlled import package, serving_trust
from doubting import Agent
from msgspec.structs import replace
from office import PLAN, Office, refused, stages
from signed import command, key, model, person, plain, signed, text

from driftline.agents.control.controller.members import Member
from driftline.agents.control.controller.phases import next_phase
from driftline.agents.control.controller.turn import Turn
from driftline.agents.control.withdrawn import without_withdrawn
from driftline.schemas.control.command import Op, Plan
from driftline.schemas.control.serving_state import Grant, Rollout, Standing, Tier

ONE, TWO = package("1").model, package("2").model
LIVE: dict[str, Member] = {}


def revoked(office: Office, word: str) -> None:
    """Let two root keys revoke a key."""
    version = office.desk.history.now.ring.state.version
    asked = command("key-revoke", "", at_ms=office.now_ms, expected_revision=version, key=key(word).keyid)
    assert office.send(signed(asked, "root-1", "root-2").to_bytes())[-1].event == "decided"


def moved(office: Office) -> str:
    """Let all instances have prepared, and the controller go on; return why it did what it did."""
    due = next_phase(office.state, None, LIVE, office.desk.history, office.desk.at(office.now_ms))
    assert due is not None
    office.told += office.desk.move(*due, office.now_ms)
    return due[1]


@pytest.mark.parametrize(
    ("tier", "op", "word"),
    [
        ("medium", "create", "bob"),
        ("medium", "create", "ann"),
        ("medium", "canary", "bob"),
        ("low", "canary", "ann"),
        ("low", "promote", "ann"),
        ("low", "shadow", "ann"),
    ],
)
def test_a_change_whose_key_is_revoked_is_cancelled(tier: Tier, op: Op, word: str) -> None:
    """The state after it is the one before, agents believe it, and a halt after that too."""
    office = Office(tier)
    if op != "create":
        office.created()
    version = "1" if op == "create" else "2"
    office.registered(version)
    asked = office.ask(op, "ann", model=model(version), **({"plan": PLAN} if op == "canary" else {}))
    if tier == "medium":
        office.approve(asked, "bob")
    assert office.state.phase == "prepare"
    agent = Agent(office)
    revoked(office, word)
    assert "was revoked" in moved(office)
    assert (office.state.phase, office.state.prepares, office.state.rollout) == ("activate", (), None)
    assert office.state.champion == (None if op == "create" else model("1"))
    agent.sees(office.published())
    if op != "create":
        assert office.ask("halt-serving", "oli").event == "decided"
        assert agent.sees(office.published()).state.halt is not None


def test_a_change_goes_on_when_another_key_is_revoked() -> None:
    """Cat's key is under nothing of it: all that prepared it make it so, and agents believe that."""
    office = Office("medium")
    office.registered("1")
    office.approve(office.ask("create", "ann", model=model("1")), "bob")
    agent = Agent(office)
    revoked(office, "cat")
    assert moved(office) == "no instance has served this deployment yet"
    assert agent.sees(office.published()).state.champion == model("1")


def test_a_person_who_loses_a_role_meanwhile_takes_nothing_back() -> None:
    """What was allowed when it was decided stays so; a revoked key alone counts for nothing."""
    office = Office("low")
    office.created()
    office.registered("2")
    office.ask("promote", "ann", model=model("2"))
    agent = Agent(office)
    now = office.desk.history.now.ring.state.trust
    persons = [*(one for one in now.persons if one.id != "ann"), person("ann", "validator")]
    changed = command(
        "trust-set",
        "",
        at_ms=office.now_ms,
        expected_revision=1,
        trust={**plain(now), "persons": plain(persons)},
    )
    assert office.send(signed(changed, "root-1", "root-2").to_bytes())[-1].event == "decided"
    assert moved(office) == "no instance has served this deployment yet"
    assert agent.sees(office.published()).state.champion == model("2")


def test_nobody_goes_back_to_what_a_revoked_key_made_champion() -> None:
    """Agents that have let it go would not believe it: the rollback and the halt that name it are refused in words."""
    office = Office("medium")
    office.created()
    for version in ("2", "3"):
        office.promoted(version)
    agent = Agent(office)
    revoked(office, "bob")
    for op in ("rollback", "halt-serving"):
        refused(office.ask(op, "oli", model=model("1")), "version 1", "was revoked")
    # What is still loaded is gone back to as before, and a halt that names nothing is obeyed.
    assert office.ask("halt-serving", "oli").event == "decided"
    agent.sees(office.published())
    office.does("rollback", "oli", model=model("2"))
    assert agent.sees(office.published()).state.champion == model("2")


def test_the_controller_ends_it_in_the_turn_of_the_revocation() -> None:
    """It waits for no instance: the record after the key-revoke says that it is cancelled, and why."""
    room = created()
    room.ask("promote", "ann", model=TWO)
    asked = {"deployment": "", "expected_revision": 1, "key": key("ann").keyid}
    gone, ended = room.ask("key-revoke", "root-1", "root-2", **asked)
    assert (gone.event, ended.event) == ("effective", "moved")
    assert "is cancelled: a key under the promote of version 2 was revoked" in ended.reasons[0]
    assert room.state is not None
    assert (room.state.champion, room.state.phase) == (ONE, "activate")


@pytest.mark.parametrize("what", ["controllers", "checkpoints"])
def test_the_last_key_of_a_controller_is_not_taken_away(what: str) -> None:
    """No controller could decide anything again: it is refused in words, and goes once another stands beside it."""
    word = what.removesuffix("s")
    room = Room()
    root = ("root-1", "root-2")
    asked = {"deployment": "", "expected_revision": 1}
    (record,) = room.ask("key-revoke", *root, **asked, key=key(word).keyid)
    assert (record.event, record.reject) == ("rejected", "precondition_failed")
    assert "no key would be left that signs" in record.reasons[0]
    wider = {**plain(serving_trust()), what: [text(word), text("new-1")]}
    assert room.ask("trust-set", *root, **asked, trust=wider)[0].event == "effective"
    asked["expected_revision"] = 2
    assert room.ask("key-revoke", *root, **asked, key=key(word).keyid)[0].event == "effective"
    assert set(getattr(room.clerk.ledger.desk.history.now.ring, what)) == {key("new-1").keyid}


def test_a_shadow_ends_with_the_key_under_it() -> None:
    """Whoever starts later would believe no state that has it, and hold up every change: people ask for it again."""
    room = Room()
    room.registered("1", "2")
    room.ask("create", "ann", model=ONE)
    room.ask("shadow", "ann", model=TWO)
    asked = {"deployment": "", "expected_revision": 1, "key": key("ann").keyid}
    gone, ended = room.ask("key-revoke", "root-1", "root-2", **asked)
    assert (gone.event, ended.event) == ("effective", "moved")
    assert "a key under the shadow of version 2 was revoked" in ended.reasons[0]
    assert room.state is not None
    assert (room.state.shadows, room.turn()) == ((), [])
    (again,) = [one for one in room.ask("shadow", "eve", model=TWO) if one.op == "shadow"]
    assert (again.event, room.state.shadows) == ("effective", (TWO,))


def test_what_cannot_be_read_holds_up_no_halt() -> None:
    """A state that whoever stole the controller's keys told of: with a key revoked it is said, and halts go on."""
    office = Office("low")
    office.created()
    office.registered("2")
    revoked(office, "bob")
    torn = replace(office.state, basis=(Grant(of="champion", command="{}"),))
    office.desk.states["churn"] = torn
    at = office.desk.at(office.now_ms)
    shadow = replace(torn, shadows=(model("2"),), basis=(Grant(of="shadow", command="{}"),))
    assert without_withdrawn(shadow, office.desk.history, at) is None
    refused(office.ask("promote", "ann", model=model("2")), "cannot be read")
    assert office.ask("halt-serving", "oli").event == "decided"


def test_a_canary_ends_with_the_key_under_it() -> None:
    """Its callers go back to the champion, whom a fresh agent believes; people who count may ask for it again."""
    office = Office("low")
    office.created()
    office.registered("2")
    office.does("promote", "eve", model=model("1"))
    office.does("canary", "ann", model=model("2"), plan=PLAN)
    assert without_withdrawn(office.state, office.desk.history, office.desk.at(office.now_ms)) is None
    revoked(office, "ann")
    due = without_withdrawn(office.state, office.desk.history, office.desk.at(office.now_ms))
    assert due is not None
    office.told += office.desk.move(*due, office.now_ms)
    assert office.state.rollout is None
    assert stages(office.state)["2"] == "validated"
    fresh = Agent(Office("low"))
    fresh.office = office
    assert fresh.sees(office.published()).state.champion == model("1")


def unreadable(of: Standing, room: Room) -> dict[str, Any]:
    """A grant that is no envelope."""
    basis = (*(one for one in room.state.basis if one.of != of), Grant(of=of, command="garbage"))  # type: ignore[union-attr]
    if of == "change":
        return {"phase": "prepare", "change": "ab" * 32, "prepares": (TWO,), "basis": basis}
    return {"previous": ONE, "bake_until_ms": room.now_ms + 60_000, "basis": basis}


def preparing(op: Op, room: Room, **more: Any) -> dict[str, Any]:
    """A change by a command that changes nothing that serves."""
    assert room.state is not None
    asked = signed(command(op, at_ms=room.now_ms, **more), "ann").to_bytes().decode()
    basis = (*room.state.basis, Grant(of="change", command=asked))
    return {"phase": "prepare", "change": "ab" * 32, "prepares": (TWO,), "basis": basis}


def astray(step: int, plan: Plan, room: Room) -> dict[str, Any]:
    """A rollout at a step that its plan has not."""
    identity = command("canary").command_id
    made = Rollout(
        rollout_id=identity, model=TWO, weight=500, step=step, step_since_ms=room.now_ms, plan=plan
    )
    return {"rollout": made}


@pytest.mark.parametrize(
    "forged",
    [
        partial(unreadable, "change"),
        partial(unreadable, "champion"),
        partial(preparing, "configure"),
        partial(preparing, "approve", target="ab" * 32),
        partial(preparing, "acknowledge", model=TWO),
        partial(astray, 7, PLAN),
        partial(astray, -9, PLAN),
        partial(astray, 0, Plan()),
    ],
    ids=["change", "champion", "configures", "approves", "acknowledges", "step 7", "step -9", "no steps"],
)
def test_what_a_thief_of_its_keys_told_of_stops_no_controller(
    forged: Callable[[Room], dict[str, Any]],
) -> None:
    """Grants that nobody can read, changes that change nothing, steps that no plan has: people halt all the same."""
    room = created()
    state = room.state
    assert state is not None
    made = replace(state, revision=state.revision + 1, **forged(room))
    room.clerk._turn = Turn()
    room.clerk.move(made, "said by nobody", room.now_ms)
    room.clerk._sign()
    room.commit(room.clerk._turn)
    for _ in range(3):
        room.now_ms += 11_000
        room.beat()
        room.turn()
    assert room.state is not None
    assert room.state.phase == "activate"
    assert room.ask("halt-serving", "oli")[0].event == "effective"
