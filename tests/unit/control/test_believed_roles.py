"""Roles that change while a command is on its way: agents ask by roles and policy of one time, as controllers do."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from office import Office
from signed import command, model, person, plain, signed

from driftline.agents.control.verify_state import verify_state
from driftline.agents.control.warrant import WarrantError, warranted
from driftline.schemas.control.serving_state import Grant


def other_roles(office: Office, **roles: tuple[str, ...]) -> None:
    """Let the roots say who has which roles, beside those of everybody else."""
    state = office.desk.history.now.ring.state
    others = tuple(one for one in state.trust.persons if one.id not in roles)
    said = replace(state.trust, persons=others + tuple(person(name, *held) for name, held in roles.items()))
    asked = command("trust-set", "", at_ms=office.now_ms, expected_revision=state.version, trust=plain(said))
    assert office.send(signed(asked, "root-1", "root-2").to_bytes())[-1].event == "decided"


def rolled_out() -> Office:
    """A deployment of medium tier whose canary may be promoted; Dan may only validate."""
    office = Office("medium")
    office.canary()
    office.stepped()
    office.stepped()
    other_roles(office, dan=("validator",))
    office.now_ms += 3_600_000
    return office


@pytest.mark.parametrize("who", ["approver", "asker"])
def test_a_role_counts_from_the_second_on_in_which_it_is_given(who: str) -> None:
    """A promotion is believed by agents that fresh roles allowed, now and with every later revision."""
    office = rolled_out()
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
    office = rolled_out()
    asked = signed(office.build("promote", model=model("2")), "dan")
    office.now_ms += 300_000
    other_roles(office, dan=("engineer",))
    (waits,) = office.send(asked.to_bytes())
    assert office.approve(waits, "bob").event == "decided"
    verify_state(office.published(), "churn", None, office.desk.history, office.now_ms, {}, ())


def test_roles_of_different_times_add_up_to_nothing() -> None:
    """Who asked could by one trust, and who approved by the next: at no time did both, and no agent takes it."""
    office = rolled_out()
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
