"""What the audit says was denied, refused or lapsed: an agent that heard it believes no state that rests on it."""

from __future__ import annotations

import msgspec
import pytest
from doubting import Agent, swapped, unapproved
from msgspec.structs import replace
from office import PROFILE, Office, code, refused
from office_audit import heard, lines
from signed import key, model, signed

from driftline.agents.audit.record import AuditRecord, Link, digest
from driftline.agents.control.ended import Ended
from driftline.agents.control.pending import LIMIT_MS
from driftline.agents.control.replays import MAX_OF_ONE, Seen
from driftline.agents.control.signing import countersigned
from driftline.agents.control.verify_state import StateError, verify_state
from driftline.agents.serving.belief import Belief
from driftline.agents.serving.errors import ServingError
from driftline.schemas.control.serving_state import Grant


def shown(office: Office, agent: Agent, grant: Grant) -> None:
    """Let a thief of the controller's key show a state that rests on a grant: once without the audit, once with it."""
    basis = swapped(office.state, "champion", grant)
    version = model("3")
    before, history = agent.believed, office.desk.history
    assert agent.is_shown(champion=version, previous=None, basis=basis).state.champion == version
    assert agent.believed is not None
    state = office.published(agent.believed.state)
    with pytest.raises(StateError, match="a promote is shown that was denied, refused or lapsed"):
        verify_state(state, "churn", before, history, office.now_ms, {}, heard(office))


def test_a_promotion_that_was_denied_promotes_nobody() -> None:
    """Eve denied it, and Bob had signed that he approves: with his word alone the state would be believed."""
    office = Office("medium")
    office.promoted("2")
    office.registered("3")
    office.does("shadow", "ann", model=model("3"))
    agent, grant = Agent(office), unapproved(office, "bob")
    waiting = office.send(grant.command.encode())[-1]
    assert waiting.event == "waits"
    assert office.approve(waiting, "eve", op="deny").event == "denied"
    shown(office, agent, grant)


def test_an_agent_takes_it_from_the_audit_that_it_hears() -> None:
    """The same denial, by the records and states as an agent reads them."""
    office = Office("medium")
    office.promoted("2")
    office.registered("3")
    office.does("shadow", "ann", model=model("3"))
    grant = unapproved(office, "bob")
    office.approve(office.send(grant.command.encode())[-1], "eve", op="deny")
    audit = lines(office)
    belief = Belief(digest(audit[0]), key("serving-1").keyid)
    belief.hear(audit[0])
    for decision, record in zip(office.told, audit[1:], strict=True):
        belief.hear(record)
        if decision.after is not None:
            belief.believe("churn", office.published(decision.after), decision.at_ms, {})
    basis = swapped(office.state, "champion", grant)
    made = replace(
        office.state, revision=office.state.revision + 1, champion=model("3"), previous=None, basis=basis
    )
    with pytest.raises(StateError, match="denied, refused or lapsed"):
        belief.believe("churn", office.published(made), office.now_ms, {})


def test_a_promotion_that_was_refused_for_its_stage_promotes_nobody() -> None:
    """On the lowest tier nobody approves: Ann's word for what was never validated would be enough."""
    office = Office("low")
    office.promoted("2")
    office.does("register", "ann", model=model("3"), manifest="e30=", profile=PROFILE)
    agent, grant = Agent(office), unapproved(office)
    refused(office.send(grant.command.encode())[-1], "version 3 is registered")
    shown(office, agent, grant)


def test_what_lapsed_or_failed_has_ended_and_what_took_effect_has_not() -> None:
    """A copy of what took effect, with or without a signature that somebody added, is refused and ends nothing."""
    office = Office("medium")
    office.promoted("2")
    good = signed(office.build("halt-serving"), "oli")
    assert office.send(good.to_bytes())[-1].event == "decided"
    assert office.send(good.to_bytes())[-1].event == "rejected"
    assert office.send(countersigned(good, key("ann")).to_bytes())[-1].event == "rejected"
    assert office.send(countersigned(good, key("root-1")).to_bytes())[-1].event == "rejected"
    assert heard(office) == set()
    lapsing = office.ask("resume", "oli", target="serving")
    office.now_ms += LIMIT_MS + 1
    office.told += office.desk.lapse(office.now_ms)
    failing = office.ask("resume", "oli", target="serving")
    office.registered("3")
    assert office.approve(failing, "bob").event == "failed"
    assert heard(office) == {lapsing.digest, failing.digest}


def test_what_was_refused_because_its_signer_sent_too_much_may_come_again() -> None:
    """Oli's halt is refused for that alone, as one that nobody could know from a copy; sent again in time it holds."""
    office = Office("low")
    office.created()
    asked = signed(office.build("halt-serving"), "oli")
    for _ in range(MAX_OF_ONE):
        office.desk.seen.take(office.build("halt-serving"), "oli")
    assert code(office.send(asked.to_bytes())[-1]) == "replayed"
    assert heard(office) == set()
    office.desk.seen = Seen()
    assert office.send(asked.to_bytes())[-1].event == "decided"
    assert heard(office) == set()


def test_what_was_refused_for_the_state_of_its_deployment_is_over() -> None:
    """Ann asked for what was not validated yet; whoever may write the audit tells later that it took effect."""
    office = Office("low")
    office.promoted("2")
    office.does("register", "ann", model=model("3"), manifest="e30=", profile=PROFILE)
    asked = office.ask("promote", "ann", model=model("3"))
    assert code(asked) == "precondition_failed"
    ended = Ended()
    told = [AuditRecord.from_bytes(one) for one in lines(office)]
    for record in (*told, replace(told[-1], event="effective", reject=None)):
        ended.take(record.event, record.to_bytes())
    assert ended.digests == {asked.digest}


@pytest.mark.parametrize("event", ["waits", "effective"])
def test_what_waited_and_has_ended_is_not_brought_back(event: str) -> None:
    """Whoever stole the keys of the controller tells afterwards that a promotion that was denied took effect."""
    office = Office("medium")
    office.promoted("2")
    office.registered("3")
    office.does("shadow", "ann", model=model("3"))
    waiting = office.send(unapproved(office, "bob").command.encode())[-1]
    office.approve(waiting, "eve", op="deny")
    told = AuditRecord.from_bytes(lines(office)[-1])
    forged = replace(told, seq=told.seq + 1, event=event, op="promote", command=waiting.digest, detail=None)
    ended = Ended()
    for data in (*lines(office), forged.to_bytes()):
        ended.take(Link.from_bytes(data).event, data)
    assert ended.digests == {waiting.digest}


def test_what_somebody_added_counts_no_more_once_the_audit_is_brought_back() -> None:
    """A forged record ends the champion's own promotion; people take it away, and the agent reads the audit anew."""
    office = Office("low")
    office.promoted("2")
    audit = lines(office)
    belief = Belief(digest(audit[0]), key("serving-1").keyid)
    promoted = next(one for one in reversed(office.told) if one.command and one.command.op == "promote")
    told = AuditRecord.from_bytes(audit[-1])
    forged = replace(
        told,
        seq=len(audit),
        prev_hash=digest(audit[-1]),
        event="lapsed",
        command=promoted.digest,
        detail=None,
    )
    state = office.published(office.state)
    for record in (*audit, forged.to_bytes()):
        belief.hear(record)
    with pytest.raises(StateError, match="denied, refused or lapsed"):
        belief.believe("churn", state, office.now_ms, {})
    belief.restart()
    for record in audit:
        belief.hear(record)
    assert belief.believe("churn", state, office.now_ms, {}) == office.state


def test_what_the_controller_refused_is_not_obeyed_by_an_agent_itself() -> None:
    """Oli asks for what was a revision ago, and is refused: whoever copied that gives it to an agent in time."""
    office = Office("low")
    office.promoted("2")
    late = signed(office.build("rollback", model=model("1"), expected_revision=1), "oli")
    asked = signed(office.build("rollback", model=model("1")), "oli")
    assert code(office.send(late.to_bytes())[-1]) == "revision_conflict"
    audit = lines(office)
    belief = Belief(digest(audit[0]), key("serving-1").keyid)
    for record in audit:
        belief.hear(record)
    belief.believe("churn", office.published(office.state), office.now_ms, {})
    with pytest.raises(ServingError, match="was denied, refused or lapsed"):
        belief.command(msgspec.json.encode({"command": late.to_bytes().decode()}), office.now_ms)
    assert belief.effective("churn") == office.state
    belief.command(msgspec.json.encode({"command": asked.to_bytes().decode()}), office.now_ms)
    effective = belief.effective("churn")
    assert effective is not None
    assert effective.champion == model("1")
