"""What a deployment is in no state for: each is refused with a sentence, and nothing changes."""

from __future__ import annotations

from typing import Any

import pytest
from office import EVIDENCE, PLAN, PROFILE, Office, refused
from signed import model, signed

from driftline.agents.control.lifecycle import begin
from driftline.agents.control.verdicts import Refusal
from driftline.schemas.control.command import Op
from driftline.schemas.control.serving_state import Grant


@pytest.mark.parametrize(
    ("op", "fields", "said"),
    [
        ("create", {"model": model("2")}, "has a champion"),
        ("register", {"model": model("1"), "manifest": "e30=", "profile": PROFILE}, "a version 1 already"),
        ("validate", {"model": model("2"), "evidence": EVIDENCE}, "is validated"),
        ("shadow", {"model": model("1")}, "is champion"),
        ("canary", {"model": model("1"), "plan": PLAN}, "is champion"),
        ("promote", {"model": model("9")}, "knows no version 9"),
        ("rollback", {"model": model("1")}, "answers all callers already"),
        ("rollback", {"model": model("2")}, "none of the last champions"),
        ("halt-serving", {"model": model("2")}, "none of the last champions"),
        ("halt-rollout", {}, "no rollout"),
        ("resume", {"target": "serving"}, "is not halted"),
        ("resume", {"target": "rollout"}, "no rollout"),
        ("retire", {"model": model("1")}, "is champion"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(op: Op, fields: dict[str, Any], said: str) -> None:
    """Each step out of its place is `precondition_failed` with a sentence, and nothing changes."""
    office = Office("low")
    office.created()
    before = office.registered("2")
    word = "val" if op == "validate" else "ann"
    decision = office.ask(op, word, **fields)
    refused(decision, said)
    assert decision.refusal is not None
    assert decision.refusal.code == "precondition_failed"
    assert office.state == before


def test_before_its_first_model_there_is_no_deployment() -> None:
    """All but a registration is refused; expecting revision 0 is right for it."""
    office = Office()
    refused(office.ask("halt-serving", "oli"), "there is no deployment churn")
    refused(
        office.ask("create", "ann", model=model("1"), expected_revision=1),
        "is at revision 0, the command expects 1",
    )
    office.does("register", "ann", model=model("1"), manifest="e30=", profile=PROFILE, expected_revision=0)
    assert office.state.revision == 1


@pytest.mark.parametrize(
    ("op", "fields", "said"),
    [
        ("shadow", {"model": model("1")}, "nothing serves"),
        ("canary", {"model": model("1"), "plan": PLAN}, "nothing serves"),
        ("rollback", {"model": model("1")}, "nothing serves"),
        ("halt-serving", {}, "nothing serves"),
        ("promote", {"model": model("1")}, "create it with its first one"),
    ],
)
def test_without_a_champion_nothing_but_a_create_goes(op: Op, fields: dict[str, Any], said: str) -> None:
    """Before its first champion a deployment has nothing beside which something could be."""
    office = Office("low")
    office.registered("1")
    refused(office.ask(op, "ann", **fields), said)


def test_no_policy_lets_a_registrar_validate() -> None:
    """Four eyes of a validation are the lifecycle's own: whatever a policy says, the registrar is refused."""
    office = Office("low")
    office.does("register", "eve", model=model("1"), manifest="e30=", profile=PROFILE)
    asked = office.build("validate", model=model("1"), evidence=EVIDENCE)
    grant = Grant(of="change", command=signed(asked, "eve").to_bytes().decode())
    found = begin(office.state, asked, grant, by="eve", at=office.desk.at(office.now_ms))
    assert isinstance(found, Refusal)
    assert found.code == "forbidden"
    assert not isinstance(
        begin(office.state, asked, grant, by="val", at=office.desk.at(office.now_ms)), Refusal
    )


def test_one_rollout_at_a_time() -> None:
    """While a canary is on its way there is no second one and no other champion; the champion may be affirmed."""
    office = Office("low")
    office.canary()
    office.registered("3")
    refused(office.ask("canary", "ann", model=model("3"), plan=PLAN), "a rollout of version 2 is under way")
    refused(office.ask("promote", "ann", model=model("3")), "a rollout of version 2 is under way")
    before = office.state.rollout
    assert office.does("promote", "ann", model=model("1")).rollout == before


def test_a_halted_deployment_begins_nothing() -> None:
    """Neither a canary nor a promotion, until somebody resumes serving."""
    office = Office("low")
    office.created()
    office.registered("2")
    office.does("halt-serving", "cat")
    for op, fields in (("canary", {"plan": PLAN}), ("promote", {})):
        refused(office.ask(op, "ann", model=model("2"), **fields), "is halted: resume it first")  # type: ignore[arg-type]


def test_a_retired_deployment_takes_nothing_more() -> None:
    """Nothing serves, for good; even a registration is refused."""
    office = Office("low")
    office.promoted()
    state = office.does("retire", "ann")
    assert (state.is_retired, state.loaded, state.rollout) == (True, frozenset(), None)
    refused(office.ask("register", "ann", model=model("9"), manifest="e30=", profile=PROFILE), "is retired")
    refused(office.ask("halt-serving", "oli"), "is retired")


def test_the_previous_champion_is_not_retired() -> None:
    """What a rollback goes back to stays while it bakes."""
    office = Office("low")
    office.promoted()
    refused(office.ask("retire", "ann", model=model("1")), "goes back to")
