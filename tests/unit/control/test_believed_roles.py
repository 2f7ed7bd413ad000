"""Roles that change while a command is on its way: agents ask by roles and policy of one time, as controllers do."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from office import Office, rolled_out
from signed import model, person, signed

from driftline.agents.control.verify_state import verify_state
from driftline.agents.control.warrant import WarrantError, warranted
from driftline.schemas.control.serving_state import Grant


def other_roles(office: Office, **roles: tuple[str, ...]) -> None:
    """Let the roots say who has which roles, beside those of everybody else."""
    known = {one.id for one in office.desk.history.now.ring.state.trust.persons}
    added = [person(name, *held) for name, held in roles.items() if name not in known]
    office.trusts(lambda one: replace(one, roles=roles.get(one.id, one.roles)), *added)


def renamed(office: Office, old: str, new: str) -> None:
    """Let the roots give somebody another id, and the same keys and roles."""
    office.trusts(lambda one: replace(one, id=new) if one.id == old else one)


def with_dan() -> Office:
    """A deployment of medium tier whose canary could be promoted an hour ago; Dan may only validate."""
    office = rolled_out()
    other_roles(office, dan=("validator",))
    office.now_ms += 3_600_000
    return office


@pytest.mark.parametrize("who", ["approver", "asker"])
def test_a_role_counts_from_the_second_on_in_which_it_is_given(who: str) -> None:
    """A promotion is believed by agents that fresh roles allowed, now and with every later revision."""
    office = with_dan()
    if who == "approver":
        other_roles(office, dan=("approver",))
    else:
        other_roles(office, dan=("engineer",))
    office.now_ms += 10_000
    asker, voter = ("ann", "dan") if who == "approver" else ("dan", "bob")
    asked = office.ask("promote", asker, model=model("2"))
    assert office.approve(asked, voter).event == "decided"
    office.prepared()
    for version in "34":
        believed = verify_state(office.published(), "churn", None, office.desk.history, office.now_ms, {}, ())
        assert believed.state.champion == model("2")
        office.now_ms += 86_400_000
        office.registered(version)


def test_a_role_that_is_given_while_a_command_is_on_its_way_counts() -> None:
    """A controller decides by the trust of that moment, minutes after the command was signed, and so do agents."""
    office = with_dan()
    asked = signed(office.build("promote", model=model("2")), "dan")
    office.now_ms += 300_000
    other_roles(office, dan=("engineer",))
    (waits,) = office.send(asked.to_bytes())
    assert office.approve(waits, "bob").event == "decided"
    verify_state(office.published(), "churn", None, office.desk.history, office.now_ms, {}, ())


def test_roles_of_different_times_add_up_to_nothing() -> None:
    """Who asked could by one trust, and who approved by the next: at no time did both, and no agent takes it."""
    office = with_dan()
    asked = signed(office.build("promote", model=model("2")), "ann")
    office.now_ms += 10_000
    other_roles(office, ann=("validator",), dan=("approver",))
    office.now_ms += 10_000
    approved = signed(office.build("approve", target=asked.digest), "dan")
    (waits,) = office.send(asked.to_bytes())
    assert waits.refusal is not None
    grant = Grant(
        of="change",
        command=asked.to_bytes().decode(),
        approvals=(approved.to_bytes().decode(),),
        tier="medium",
    )
    with pytest.raises(
        WarrantError, match="the policy does not let ann promote with 1 approvals at tier medium"
    ):
        warranted(grant, office.desk.history, "medium")


@pytest.mark.parametrize("approved_s", [5, 600])
@pytest.mark.parametrize("after_s", [1, 30, 59, 61])
def test_who_asked_may_have_got_another_id_just_before(after_s: int, approved_s: int) -> None:
    """Whichever id a controller knew the asker by, agents believe what it decided, however late the approval came."""
    office = with_dan()
    renamed(office, "ann", "anna")
    office.now_ms += after_s * 1_000
    asked = office.ask("promote", "ann", model=model("2"))
    assert (asked.event, asked.by) == ("waits", "anna")
    office.now_ms += approved_s * 1_000
    assert office.approve(asked, "bob").event == "decided"
    office.prepared()
    verify_state(office.published(), "churn", None, office.desk.history, office.now_ms, {}, ())


def test_who_approved_may_have_got_another_id_just_before() -> None:
    """The first of two who approve is renamed seconds before, and the second comes minutes later."""
    office = rolled_out("high")
    asked = office.ask("promote", "ann", model=model("2"))
    office.now_ms += 60_000
    renamed(office, "bob", "robert")
    office.now_ms += 20_000
    assert office.approve(asked, "bob").by == "robert"
    office.now_ms += 300_000
    assert office.approve(asked, "cat").event == "decided"
    office.prepared()
    verify_state(office.published(), "churn", None, office.desk.history, office.now_ms, {}, ())


def test_a_person_of_two_ids_is_one_and_approves_nothing_of_their_own() -> None:
    """Bob signs as Bob and again as Robert, and Ann as Anna: one approval of the two that are needed, and none."""
    office = rolled_out("high")
    asked = signed(office.build("promote", model=model("2")), "ann")
    own = signed(office.build("approve", target=asked.digest), "ann")
    first = signed(office.build("approve", target=asked.digest), "bob")
    office.now_ms += 30_000
    renamed(office, "bob", "robert")
    renamed(office, "ann", "anna")
    office.now_ms += 1_000
    again = signed(office.build("approve", target=asked.digest), "bob-2")
    approvals = tuple(one.to_bytes().decode() for one in (own, first, again))
    grant = Grant(of="change", command=asked.to_bytes().decode(), approvals=approvals, tier="high")
    with pytest.raises(
        WarrantError, match="the policy does not let ann or anna promote with 1 approvals at tier high"
    ):
        warranted(grant, office.desk.history, "high")
