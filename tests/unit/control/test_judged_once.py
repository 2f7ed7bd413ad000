"""Commands and approvals are judged once, when they come: agents believe what was decided then, and nothing more."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from doubting import Agent, swapped
from msgspec.structs import replace
from office import PASS, PLAN, PROFILE, Office, code, rolled_out
from office_audit import heard, lines
from signed import model, person, signed, text

from driftline.agents.audit.record import AuditRecord, Link
from driftline.agents.control.ended import Ended
from driftline.agents.control.moves import baked, next_step
from driftline.agents.control.verdicts import Refusal
from driftline.agents.control.verify_state import StateError, verify_state
from driftline.agents.control.warrant import WarrantError, warranted
from driftline.schemas.control.serving_state import Grant
from driftline.schemas.control.trust import Person


def believed(office: Office) -> None:
    """Hold that an agent that starts now believes what is so, and one that saw all before it too."""
    verify_state(office.published(), "churn", None, office.desk.history, office.now_ms, {}, heard(office))


def approved_in_vain(office: Office, later_s: int) -> Grant:
    """Return what a thief of the controller's key shows: Val's vote was refused, and later she gets the role for it."""
    command = signed(office.build("promote", model=model("2")), "ann")
    (waits,) = office.send(command.to_bytes())
    vote = signed(office.build("approve", target=waits.digest), "val")
    assert code(office.send(vote.to_bytes())[-1]) == "forbidden"
    office.now_ms += later_s * 1_000
    office.trusts(lambda one: person("val", "validator", "approver") if one.id == "val" else one)
    texts = (command.to_bytes().decode(), vote.to_bytes().decode())
    return Grant(of="champion", command=texts[0], approvals=texts[1:], tier="medium")


@pytest.mark.parametrize("later_s", [40 * 60, 2 * 86_400])
def test_an_approval_that_was_refused_counts_nothing_later(later_s: int) -> None:
    """The roles of half an hour later are no roles of when it came."""
    office = rolled_out()
    grant = approved_in_vain(office, later_s)
    with pytest.raises(WarrantError, match="the policy does not let ann promote with 1 approvals"):
        warranted(grant, office.desk.history, "medium")


def test_an_approval_that_the_audit_tells_was_refused_counts_nothing_soon_after() -> None:
    """By the clock it might have come after the role was given; the audit tells that it did not."""
    office = rolled_out()
    agent, grant = Agent(office), approved_in_vain(office, 10)
    basis = swapped(office.state, "champion", grant)
    state = replace(
        office.state, revision=office.state.revision + 1, champion=model("2"), rollout=None, basis=basis
    )
    with pytest.raises(StateError, match="or an approval of it that was refused"):
        verify_state(
            office.published(state),
            "churn",
            agent.believed,
            office.desk.history,
            office.now_ms,
            {},
            heard(office),
        )


def test_an_approval_that_was_refused_stays_so_whatever_the_audit_tells_later() -> None:
    """Whoever stole the controller's key and may write the audit tells that it was approved after all: it is over."""
    office = rolled_out()
    grant = approved_in_vain(office, 10)
    ended, told = Ended(), lines(office)
    for data in told:
        ended.take(Link.from_bytes(data).event, data)
    vote = next(one for one in told if AuditRecord.from_bytes(one).reject == "forbidden")
    forged = replace(AuditRecord.from_bytes(vote), event="approved", reject=None)
    ended.take("approved", forged.to_bytes())
    assert warranted(grant, office.desk.history, "medium").is_over(ended.digests)


def test_a_command_of_somebody_without_a_role_counts_nothing_when_they_get_it() -> None:
    """At tier low nobody approves: what Val may not ask today is not so two days later, when she may."""
    office = Office("low")
    office.canary()
    command = signed(office.build("promote", model=model("2")), "val")
    office.now_ms += 2 * 86_400_000
    office.trusts(lambda one: person("val", "engineer") if one.id == "val" else one)
    grant = Grant(of="change", command=command.to_bytes().decode(), approvals=(), tier="low")
    with pytest.raises(WarrantError, match="the policy does not let val promote"):
        warranted(grant, office.desk.history, "low")


def test_who_became_known_while_a_command_lay_there_is_believed() -> None:
    """Three minutes on its way and thirteen until a controller comes back, which learns of the person right before."""
    office = rolled_out()
    asked = signed(office.build("promote", model=model("2")), "new")
    office.now_ms += 180_000
    late_ms = 780_000
    office.trusts(lambda one: one, person("new", "engineer"), late_ms=late_ms)
    (waits,) = office.send(asked.to_bytes(), late_ms=late_ms)
    office.now_ms += late_ms
    assert office.approve(waits, "bob").event == "decided"
    office.prepared()
    believed(office)


BEHIND = pytest.mark.parametrize("ahead_ms", [-180_000, -90_000, -5_000, 0, 60_000])


@BEHIND
def test_a_controller_whose_clock_is_wrong_changes_trust_after_what_it_decided_before(ahead_ms: int) -> None:
    """Bob leaves a minute after he approved: an agent that starts now believes what he approved."""
    office = rolled_out()
    office.ahead_ms = ahead_ms
    waits = office.ask("promote", "ann", model=model("2"))
    office.now_ms += 20_000
    assert office.approve(waits, "bob").event == "decided"
    office.prepared()
    office.now_ms += 60_000
    office.trusts(lambda one: person("bob", "engineer") if one.id == "bob" else one)
    believed(office)


@BEHIND
@pytest.mark.parametrize("is_loaded", [True, False])
def test_a_canary_of_a_controller_whose_clock_is_wrong_is_believed(ahead_ms: int, is_loaded: bool) -> None:  # noqa: FBT001
    """Whether it was a shadow before or must be loaded first; also beside a shadow that comes seconds later."""
    office = Office("low", ahead_ms=ahead_ms)
    office.created()
    office.registered("2")
    if is_loaded:
        office.does("shadow", "ann", model=model("2"))
    office.does("canary", "ann", model=model("2"), plan=PLAN)
    office.now_ms += 1_000
    office.registered("3")
    office.does("shadow", "ann", model=model("3"))
    believed(office)
    while isinstance(next_step(office.state, PASS, office.desk.at(office.clock_ms)), Refusal):
        office.now_ms += 1_000
    office.now_ms -= 61_000
    office.stepped()
    believed(office)


def ten_years(office: Office) -> None:
    """Let a bake time end by a clock that is ten years ahead."""
    office.ahead_ms = 315_360_000_000
    made = baked(office.state, office.desk.at(office.clock_ms))
    office.told += office.desk.move(made, "the bake time is over", office.clock_ms)


def ten_minutes(office: Office) -> None:
    """Let a command be decided by a clock that is ten minutes ahead."""
    office.ahead_ms = 600_000
    office.does("register", "ann", model=model("4"), manifest="e30=", profile=PROFILE)


@pytest.mark.parametrize("ahead", [ten_minutes, ten_years])
def test_a_clock_that_was_far_ahead_and_is_set_right_holds_up_no_halt(
    ahead: Callable[[Office], None],
) -> None:
    """Nor a canary and its steps: what comes next is decided now."""
    office = Office("low")
    office.promoted("2")
    ahead(office)
    office.now_ms += 20_000
    office.ahead_ms = 0
    office.does("halt-serving", "oli")
    believed(office)
    office.does("resume", "oli", target="serving")
    office.registered("3")
    office.does("shadow", "ann", model=model("3"))
    office.does("canary", "ann", model=model("3"), plan=PLAN)
    office.stepped()
    believed(office)


def test_a_broker_whose_clock_is_ahead_holds_up_no_halt() -> None:
    """Five minutes ahead of people, controller and agents: the state was decided now, and not after now."""
    office = Office("low")
    office.created()
    asked = signed(office.build("halt-serving"), "oli")
    office.now_ms += 300_000
    office.send(asked.to_bytes(), late_ms=-300_000)
    office.now_ms -= 300_000
    believed(office)
    assert office.state.halt is not None


def other_holder(office: Office, word: str, to: str) -> None:
    """Let a key be another person's; who had it keeps their others, or gets a new one."""

    def other(one: Person) -> Person:
        keys = tuple(held for held in one.keys if held != text(word))
        return replace(one, keys=(*keys, text(word)) if one.id == to else keys or (text(f"{one.id}'s new"),))

    office.trusts(other)


def test_a_key_that_was_the_approvers_until_just_before_is_the_askers() -> None:
    """Roots gave Ann's second key to Bob by mistake; seconds after they mend it she asks with it, and he approves."""
    office = rolled_out()
    other_holder(office, "second", "bob")
    office.now_ms += 600_000
    other_holder(office, "second", "ann")
    office.now_ms += 30_000
    asked = office.ask("promote", "second", model=model("2"))
    office.now_ms += 120_000
    assert office.approve(asked, "bob").event == "decided"
    office.prepared()
    believed(office)


def test_a_key_that_becomes_the_approvers_unmakes_nothing() -> None:
    """Minutes after a promotion that Ann asked for and Bob approved, her key is his: all stays believed."""
    office = rolled_out()
    asked = office.ask("promote", "ann", model=model("2"))
    assert office.approve(asked, "bob").event == "decided"
    office.prepared()
    history = office.desk.history
    before = verify_state(office.published(), "churn", None, history, office.now_ms, {}, ())
    office.now_ms += 300_000
    other_holder(office, "ann", "bob")
    believed(office)
    assert office.ask("halt-serving", "oli").event == "decided"
    halted = verify_state(office.published(), "churn", before, office.desk.history, office.now_ms, {}, ())
    assert halted.state.halt is not None
