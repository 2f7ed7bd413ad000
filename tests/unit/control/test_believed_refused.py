"""What a thief of the controller's key shows: commands of people that the controller refused, or that lapsed."""

from __future__ import annotations

import pytest
from doubting import DAY_MS, Agent, stood, swapped, text, unapproved
from msgspec.structs import replace
from office import PLAN, Office, refused
from signed import model, signed

from driftline.schemas.control.command import Command, Op
from driftline.schemas.control.envelope import Envelope
from driftline.schemas.control.serving_state import Grant, Rollout


def conflicting(office: Office, op: Op, **fields: object) -> Envelope:
    """Return a command of Ann that was refused because a registration came before it."""
    asked = signed(office.build(op, **fields), "ann")
    office.registered("9")
    refused(office.send(asked.to_bytes())[-1], "the command expects")
    return asked


def test_a_promotion_that_was_refused_for_its_revision_promotes_nobody() -> None:
    """Also with all the approvals that it needs, and when the state before is forged to prepare it."""
    office = Office("high")
    office.promoted("2")
    office.registered("3")
    grant = unapproved(office, "bob", "cat")
    office.registered("9")
    agent = Agent(office)
    basis = swapped(office.state, "champion", grant)
    agent.refuses("or was refused, before revision", champion=model("3"), previous=None, basis=basis)
    digest = Envelope.from_bytes(grant.command.encode()).digest
    basis = (*office.state.basis, replace(grant, of="change"))
    agent.refuses("or was refused, before revision", phase="prepare", change=digest, basis=basis)


def test_a_canary_shadow_or_resumption_that_was_refused_has_no_effect() -> None:
    """Each expected another revision than the one that was so when it came."""
    office = Office("low")
    office.created()
    office.registered("2")
    asked = conflicting(office, "canary", model=model("2"), plan=PLAN)
    command = Command.from_bytes(asked.body)
    rollout = Rollout(
        rollout_id=command.command_id,
        model=model("2"),
        weight=500,
        step=0,
        step_since_ms=office.now_ms,
        plan=PLAN,
    )
    said, agent = "or was refused, before revision", Agent(office)
    agent.refuses(
        said, rollout=rollout, basis=(*office.state.basis, Grant(of="rollout", command=text(asked)))
    )
    state = office.does("shadow", "ann", model=model("2"))
    shadow = stood(state, "shadow")
    office.does("retire", "ann", model=model("2"))
    agent.sees(office.published())
    agent.refuses(said, shadows=(model("2"),), basis=(*office.state.basis, shadow))


@pytest.mark.parametrize("what", ["serving", "rollout"])
def test_a_resumption_that_was_refused_resumes_nothing(what: str) -> None:
    """It knew of the halt, and expected another revision than the one that was so when it came."""
    office = Office("low")
    office.canary()
    office.does("halt-serving" if what == "serving" else "halt-rollout", "ann")
    asked = conflicting(office, "resume", target=what)
    agent, state = Agent(office), office.state
    grant = Grant(of="resumed-serving" if what == "serving" else "resumed-rollout", command=text(asked))
    basis = (*state.basis, grant)
    if what == "serving":
        agent.refuses("or was refused, before revision", halt=None, basis=basis)
    else:
        assert state.rollout is not None
        going = replace(state.rollout, paused=False)
        agent.refuses("or was refused, before revision", rollout=going, basis=basis)


def test_approvals_of_after_the_limit_count_nothing() -> None:
    """A promotion that lapsed after three days is not made good by approvals of the tenth."""
    office = Office("high")
    office.promoted("2")
    office.registered("3")
    agent = Agent(office)
    asked = signed(office.build("promote", model=model("3")), "ann")
    for days, is_late in ((2, False), (8, True)):
        office.now_ms += days * DAY_MS
        approvals = [signed(office.build("approve", target=asked.digest), word) for word in ("bob", "cat")]
        grant = Grant(of="champion", command=text(asked), approvals=tuple(map(text, approvals)))
        fields = {"champion": model("3"), "previous": None, "basis": swapped(office.state, "champion", grant)}
        if is_late:
            agent.refuses("approved after it had lapsed", **fields)
        else:
            agent.is_shown(**fields)
            agent.believed = Agent(office).believed


def test_a_halt_that_ended_hours_ago_lets_nobody_answer() -> None:
    """It needed no approval, so it was carried out when it came: it cannot have waited for three days."""
    office = Office("low")
    office.promoted("2")
    state = office.does("halt-serving", "ann", model=model("1"))
    halt, grant = state.halt, stood(state, "halt")
    office.does("resume", "ann", target="serving")
    office.now_ms += 3_600_000
    office.registered("3")
    Agent(office).refuses("lapsed before", halt=halt, basis=(*office.state.basis, grant))


def test_a_rollback_of_a_person_leaves_nothing_to_go_back_to() -> None:
    """With what was rolled back as the previous champion, windows could undo the person's word in the next state."""
    office = Office("low")
    office.promoted("2")
    agent, bad = Agent(office), replace(stood(office.state, "champion"), of="earlier")
    office.does("rollback", "ann", model=model("1"))
    agent.refuses("nothing more to go back to", previous=model("2"), basis=(*office.state.basis, bad))
    agent.sees(office.published())


def test_a_command_of_no_short_life_warrants_nothing() -> None:
    """One that would expire after days is malformed, so that the controller refused it, and agents do."""
    office = Office("low")
    office.created()
    office.registered("2")
    asked = office.build("promote", model=model("2"))
    for lasts_ms in (0, -1, 900_001):
        wrong = replace(asked, expires_at_ms=asked.issued_at_ms + lasts_ms)
        grant = Grant(of="champion", command=text(signed(wrong, "ann")))
        basis = swapped(office.state, "champion", grant)
        Agent(office).refuses("it is to expire", champion=model("2"), previous=None, basis=basis)
