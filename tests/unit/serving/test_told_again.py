"""Whoever may write `audit`, and holds no key, tells again of what controllers and roots signed long ago: in vain."""

from __future__ import annotations

from typing import Any

import pytest
from believing import FIRST, PIN, followed
from msgspec.structs import replace
from office import Office
from signed import command, key, model, person, plain, signed

from driftline.agents.audit.chain import Chain
from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.writer import AuditLog, resumed
from driftline.agents.control.trust import changed
from driftline.agents.control.verify_state import StateError
from driftline.agents.serving import told
from driftline.agents.serving.belief import Belief
from driftline.agents.serving.told import digest_of, said
from driftline.schemas.control.command import LONGEST_MS, Command

HOUR_MS = 3_600_000
ROOTS = ("root-1", "root-2")


def agent_of(office: Office) -> Belief:
    """An agent that heard the audit of an office, and believes nothing yet."""
    agent = Belief(PIN, key("serving-1").keyid)
    for record in [FIRST, *followed(office)]:
        agent.hear(record)
    return agent


def log_of(office: Office) -> AuditLog:
    """The audit of an office, to be written on by somebody else."""
    chain = Chain(PIN)
    for record in [FIRST, *followed(office)]:
        chain.take(record)
    return resumed(chain)


def tell_again(agent: Belief, office: Office, data: bytes) -> None:
    """Let an agent hear of an old state as if it were the newest."""
    state = said(data)
    assert state is not None
    agent.hear(
        log_of(office).append(
            "moved",
            office.now_ms,
            deployment="churn",
            revision_after=state.revision,
            state_after=digest_of(data),
        )
    )


@pytest.fixture(params=[1, told.MOST])
def most(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether an agent still knows that the old state was told of, or not."""
    monkeypatch.setattr(told, "MOST", request.param)


@pytest.mark.usefixtures("most")
def test_an_old_halt_that_is_told_again_stops_nobody() -> None:
    """Who serves goes on; the same of a champion of then, for an agent that knows of nothing."""
    office = Office("high")
    office.promoted("2")
    champion = [one.after for one in office.told if one.after and one.after.champion == model("1")][-1]
    office.does("halt-serving", "oli")
    halted = office.published()
    office.does("resume", "ann", approvers=("bob",), target="serving")
    agent = agent_of(office)
    agent.believe("churn", office.published(), office.now_ms, {})
    office.now_ms += 30 * 24 * HOUR_MS
    tell_again(agent, office, halted)
    with pytest.raises(StateError):
        agent.believe("churn", halted, office.now_ms, {})
    assert agent.silenced("churn", 0.0) is None
    fresh = agent_of(office)
    old = office.published(champion)
    tell_again(fresh, office, old)
    with pytest.raises(StateError, match=r"is told of again by record|is older than the one"):
        fresh.believe("churn", old, office.now_ms, {})


@pytest.mark.usefixtures("most")
def test_a_halt_that_an_agent_cannot_believe_is_lifted_by_no_old_state() -> None:
    """It missed a champion whose key is revoked by now, and heeds the halt behind it: until a newer state says so."""
    office = Office("low")
    office.created()
    agent, old = agent_of(office), office.published()
    agent.believe("churn", old, office.now_ms, {})
    office.registered("2")
    office.does("promote", "ann", model=model("2"))
    version = office.desk.history.now.ring.state.version
    revoke = command("key-revoke", "", at_ms=office.now_ms, expected_revision=version, key=key("ann").keyid)
    office.send(signed(revoke, *ROOTS).to_bytes())
    office.does("halt-serving", "oli")
    agent.restart()
    for record in [FIRST, *followed(office)]:
        agent.hear(record)
    with pytest.raises(StateError):
        agent.believe("churn", office.published(), office.now_ms, {})
    assert "oli halted it" in str(agent.silenced("churn", 0.0))
    tell_again(agent, office, old)
    agent.believe("churn", old, office.now_ms, {})
    assert "oli halted it" in str(agent.silenced("churn", 0.0))


def trusting(office: Office, name: str) -> Command:
    """A change of trust that brings in one more person."""
    state = office.desk.history.now.ring.state
    trust = replace(state.trust, persons=(*state.trust.persons, person(name, "approver")))
    return command("trust-set", "", at_ms=office.now_ms, expected_revision=state.version, trust=plain(trust))


def told_as_effective(office: Office, asked: Command, at_ms: int) -> bytes:
    """A record of somebody who may write `audit`: what roots signed has taken effect."""
    envelope = signed(asked, *ROOTS)
    signers = frozenset(key(word).keyid for word in ROOTS)
    after = changed(office.desk.history.now.ring.state, asked, signers, at_ms)
    return log_of(office).append(
        "effective", at_ms, op=asked.op, command=envelope.digest, envelope=envelope.to_bytes().decode(),
        policy=after.policy, trust=after.digest,
    )  # fmt: skip


@pytest.mark.parametrize("back_ms", [0, HOUR_MS // 30])
def test_what_roots_signed_and_was_refused_changes_no_trust(back_ms: int) -> None:
    """A policy by which nobody could halt, told of as effective, dated back or not. The restored log is followed."""
    office = Office("high")
    office.promoted("2")
    version = office.desk.history.now.ring.state.version
    rule = 'permit(principal in Role::"engineer", action == Action::"promote", resource);'
    asked = command("policy-set", "", at_ms=office.now_ms, expected_revision=version, policy=rule)
    assert office.send(signed(asked, *ROOTS).to_bytes())[-1].event == "rejected"
    agent = agent_of(office)
    held = agent.history
    with pytest.raises(
        AuditError, match="changes trust as nobody decided: its policy-set was refused before"
    ):
        agent.hear(told_as_effective(office, asked, office.now_ms - back_ms))
    assert agent.history is held
    again = Belief(PIN, key("serving-1").keyid, agent.kept)
    office.trusts(lambda persons: persons, person("yan", "approver"))
    for record in [FIRST, *followed(office)]:
        again.hear(record)
    assert again.history is not None
    assert any(one.id == "yan" for one in again.history.now.ring.state.trust.persons)


@pytest.mark.parametrize(
    ("fields", "said"), [({"reason": " "}, "gives no reason"), ({"expires_at_ms": 1 << 46}, "is to expire")]
)
def test_what_is_malformed_changes_no_trust(fields: dict[str, Any], said: str) -> None:
    """The controller refuses it whenever it comes; that of a command which lives for years would hold for years."""
    office = Office("high")
    office.promoted("2")
    asked = replace(trusting(office, "zed"), **fields)
    agent = agent_of(office)
    with pytest.raises(AuditError, match=f"its trust-set is malformed: .*{said}"):
        agent.hear(told_as_effective(office, asked, office.now_ms))


def test_a_copy_that_came_too_late_ends_no_command_that_came_in_time() -> None:
    """Whoever may send can copy what roots signed: after the copy was refused for its time, theirs is decided still."""
    office = Office("high")
    office.promoted("2")
    asked = trusting(office, "zed")
    assert office.send(signed(asked, *ROOTS).to_bytes(), late_ms=LONGEST_MS + 60_000)[-1].event == "rejected"
    office.now_ms += LONGEST_MS // 2
    assert office.send(signed(asked, *ROOTS).to_bytes(), late_ms=LONGEST_MS - 60_000)[-1].event == "decided"
    history = agent_of(office).history
    assert history is not None
    assert any(one.id == "zed" for one in history.now.ring.state.trust.persons)


@pytest.mark.parametrize("late_ms", [-60_000, 2 * LONGEST_MS])
def test_a_change_of_trust_is_believed_whenever_it_can_have_been_decided(late_ms: int) -> None:
    """The first and the last moment, for a command of the longest life; the ones beside them are none."""
    office = Office("high")
    office.promoted("2")
    asked = replace(
        trusting(office, "zed"), issued_at_ms=office.now_ms, expires_at_ms=office.now_ms + LONGEST_MS
    )
    beside = office.now_ms + late_ms + (1 if late_ms > 0 else -1)
    with pytest.raises(AuditError, match="outside the time in which one is decided"):
        agent_of(office).hear(told_as_effective(office, asked, beside))
    assert agent_of(office).hear(told_as_effective(office, asked, office.now_ms + late_ms))


@pytest.mark.parametrize("far_ms", [-HOUR_MS, HOUR_MS, 1 << 62])
def test_a_change_of_trust_holds_from_when_it_was_decided(far_ms: int) -> None:
    """Dated far ahead it would never hold for persons whom it takes out; nothing is decided so long after it came."""
    office = Office("high")
    office.promoted("2")
    agent, asked = agent_of(office), trusting(office, "zed")
    with pytest.raises(AuditError, match="took effect outside the time in which one is decided"):
        agent.hear(told_as_effective(office, asked, office.now_ms + far_ms))
    agent = agent_of(office)
    assert agent.hear(told_as_effective(office, asked, office.now_ms))


def test_roots_may_sign_later_what_too_few_had_signed() -> None:
    """A command that lacked roots, or came before its time, is decided as soon as it may be: agents believe it."""
    office = Office("high")
    office.promoted("2")
    asked = trusting(office, "zed")
    assert office.send(signed(asked, "root-1").to_bytes())[-1].event == "rejected"
    office.now_ms -= 120_000
    assert office.send(signed(asked, *ROOTS).to_bytes())[-1].event == "rejected"
    office.now_ms += 120_000
    assert office.send(signed(asked, *ROOTS).to_bytes())[-1].event == "decided"
    history = agent_of(office).history
    assert history is not None
    assert any(one.id == "zed" for one in history.now.ring.state.trust.persons)


def test_a_policy_that_is_none_is_no_policy() -> None:
    """Told of without the refusal before it: the agent says so, and believes as before."""
    office = Office("high")
    office.promoted("2")
    version = office.desk.history.now.ring.state.version
    asked = command("policy-set", "", at_ms=office.now_ms, expected_revision=version, policy="no policy")
    agent = agent_of(office)
    held = agent.history
    with pytest.raises(AuditError, match="sets a policy that is none"):
        agent.hear(told_as_effective(office, asked, office.now_ms))
    assert agent.history is held
