"""The life of a model: each step of its path, what may not be, and what the controller does of its own accord."""

from __future__ import annotations

from typing import Any

import pytest
from doubting import Agent
from office import EVIDENCE, PLAN, PROFILE, Office, refused, stages
from signed import model

from driftline.agents.control.effects import MAX_SHADOWS, MAX_VERSIONS
from driftline.agents.control.grants import MAX_EARLIER
from driftline.agents.control.lifecycle import activate, cancel
from driftline.schemas.control.command import Op, Plan


def test_the_path_of_a_model() -> None:
    """Registered, validated, shadow, canary, champion; the one before it stays loaded and is validated again."""
    office = Office()
    office.created()
    seen = [stages(office.state)]
    office.does("register", "ann", model=model("2"), manifest="e30=", profile=PROFILE)
    seen.append(stages(office.state))
    office.does("validate", "val", model=model("2"), evidence=EVIDENCE)
    seen.append(stages(office.state))
    office.does("shadow", "ann", model=model("2"))
    seen.append(stages(office.state))
    office.does("canary", "ann", approvers=("bob",), model=model("2"), plan=PLAN)
    seen.append(stages(office.state))
    office.stepped()
    office.stepped()
    state = office.does("promote", "ann", approvers=("bob",), model=model("2"))
    seen.append(stages(state))
    assert [one.get("2") for one in seen] == [None, "registered", "validated", "shadow", "canary", "champion"]
    assert [one["1"] for one in seen] == ["champion"] * 5 + ["validated"]
    assert (state.champion, state.previous, state.shadows, state.rollout) == (
        model("2"),
        model("1"),
        (),
        None,
    )
    assert state.bake_until_ms == office.now_ms + 3_600_000


def test_what_is_not_loaded_is_prepared_first() -> None:
    """All serve as before while the new champion loads; with the next revision it answers."""
    office = Office("low")
    office.created()
    office.registered("2")
    asked = office.ask("promote", "ann", model=model("2"))
    state = office.state
    assert (state.phase, state.prepares, state.change) == ("prepare", (model("2"),), asked.digest)
    assert (state.champion, stages(state)["2"]) == (model("1"), "validated")
    after = office.prepared()
    assert (after.phase, after.prepares, after.change, after.champion) == ("activate", (), None, model("2"))
    assert after.revision == state.revision + 1


def test_what_is_loaded_is_a_pointer_switch() -> None:
    """A rollback to the previous champion prepares nothing."""
    office = Office()
    office.promoted()
    decided = office.ask("rollback", "oli", model=model("1"))
    assert decided.after is not None
    assert (decided.after.phase, decided.after.champion) == ("activate", model("1"))
    assert stages(office.state) == {"1": "champion", "2": "rolled_back"}
    assert office.state.previous is None


def test_a_failed_preparation_leaves_all_as_it_was() -> None:
    """A cancelled change is one more revision that says what the one before the change said."""
    office = Office("low")
    before = office.created()
    office.registered("2")
    office.ask("promote", "ann", model=model("2"))
    office.desk.move(cancel(office.state, office.desk.at(office.now_ms)), "an instance failed", office.now_ms)
    state = office.state
    assert (state.champion, state.phase, state.prepares, state.change) == (
        before.champion,
        "activate",
        (),
        None,
    )
    assert [one for one in state.basis if one.of == "change"] == []
    with pytest.raises(ValueError, match="prepares nothing"):
        activate(state, office.desk.at(office.now_ms))


def test_nothing_but_a_stop_comes_between_prepare_and_activate() -> None:
    """While a change is prepared others are refused; a rollback or a halt ends it."""
    office = Office("low")
    office.promoted()
    office.registered("3")
    for op, fields in (("halt-serving", {}), ("rollback", {"model": model("1")})):
        office.ask("promote", "ann", model=model("3"))
        assert office.state.phase == "prepare"
        refused(office.ask("shadow", "ann", model=model("3")), "still being prepared")
        assert office.ask(op, "oli", **fields).event == "decided"  # type: ignore[arg-type]
        assert (office.state.phase, office.state.prepares) == ("activate", ())
        if op == "halt-serving":
            office.does("resume", "oli", target="serving")


@pytest.mark.parametrize("op", ["shadow", "canary", "promote"])
@pytest.mark.parametrize(("stop", "named"), [("halt-rollout", {}), ("rollback", {"model": model("1")})])
def test_a_change_that_is_prepared_is_stopped_where_nothing_else_is(
    op: Op, stop: Op, named: dict[str, Any]
) -> None:
    """With one champion ever, and no rollout: all is as before, agents believe it, and the change can be asked anew."""
    office = Office("low")
    before = office.created()
    office.registered("2")
    fields = {"plan": PLAN} if op == "canary" else {}
    office.ask(op, "ann", model=model("2"), **fields)
    assert office.state.phase == "prepare"
    assert office.ask(stop, "oli", **named).event == "decided"
    state = office.state
    assert (state.phase, state.prepares, state.change, state.champion) == (
        "activate",
        (),
        None,
        before.champion,
    )
    Agent(office)
    office.does(op, "ann", model=model("2"), **fields)
    refused(office.ask("rollback", "oli", model=model("3")), "knows no version 3")


def test_a_first_champion_that_is_prepared_is_stopped() -> None:
    """By a halt of rollouts: nothing serves yet, so that there is nothing to go back to."""
    office = Office("low")
    office.registered("1")
    office.ask("create", "ann", model=model("1"))
    refused(office.ask("rollback", "oli", model=model("1")), "nothing serves")
    assert office.ask("halt-rollout", "oli").event == "decided"
    assert (office.state.phase, office.state.champion) == ("activate", None)
    refused(office.ask("halt-rollout", "oli"), "no rollout of churn is under way")


def test_the_plan_says_how_long_it_bakes() -> None:
    """The previous champion stays for as long as the promotion's plan says."""
    office = Office("low")
    office.promoted(plan=Plan(bake_s=100.0))
    assert office.state.bake_until_ms == office.now_ms + 100_000


def test_the_last_champions_alone_are_gone_back_to() -> None:
    """Of many promotions the last three before this one are known; who was taken back is none of them."""
    office = Office("low")
    office.created("0")
    for version in ("1", "2", "3", "4"):
        office.registered(version)
        office.does("promote", "ann", model=model(version))
    assert sum(one.of == "earlier" for one in office.state.basis) == MAX_EARLIER
    refused(office.ask("rollback", "oli", model=model("0")), "none of the last champions")
    office.does("rollback", "oli", model=model("2"))
    assert stages(office.state) == {
        "0": "validated", "1": "validated", "2": "champion", "3": "validated", "4": "rolled_back"
    }  # fmt: skip
    refused(office.ask("rollback", "oli", model=model("4")), "none of the last champions")
    office.does("rollback", "oli", model=model("1"))
    assert office.state.champion == model("1")


def test_a_rollback_takes_a_canary_back() -> None:
    """Named the champion, it ends the rollout and nothing else; the canary begins again with a validation."""
    office = Office()
    office.canary()
    state = office.does("rollback", "oli", model=model("1"))
    assert (state.rollout, state.champion, stages(state)["2"]) == (None, model("1"), "rolled_back")
    refused(office.ask("canary", "ann", model=model("2"), plan=PLAN), "is rolled_back")
    office.does("validate", "val", model=model("2"), evidence=EVIDENCE)


def tried_again() -> Office:
    """Return an office whose previous champion was a canary again and was taken back."""
    office = Office("low")
    office.created("1")
    office.registered("2")
    office.does("promote", "ann", model=model("2"), plan=Plan(bake_s=86_400.0))
    office.does("canary", "ann", model=model("1"), plan=PLAN)
    state = office.does("rollback", "oli", model=model("2"))
    assert (state.previous, stages(state)["1"]) == (model("1"), "rolled_back")
    return office


@pytest.mark.parametrize("op", ["rollback", "halt-serving"])
def test_a_previous_champion_that_was_tried_again_is_gone_back_to(op: Op) -> None:
    """It was approved once and is loaded; worse than the champion of now it may be, and better than a broken one."""
    office = tried_again()
    state = office.does(op, "oli", model=model("1"))
    assert model("1") in (state.champion, state.halt and state.halt.instead)
    Agent(office)


def test_what_is_loaded_makes_no_room_for_another_version() -> None:
    """A previous champion stays known as long as a rollback may go back to it, whatever its stage."""
    office = tried_again()
    for number in range(3, MAX_VERSIONS + 1):
        office.does("register", "ann", model=model(str(number)), manifest="e30=", profile=PROFILE)
    refused(
        office.ask("register", "ann", model=model("x"), manifest="e30=", profile=PROFILE),
        "64 versions",
    )
    office.does("halt-serving", "oli")
    Agent(office)


def test_a_champion_may_be_affirmed() -> None:
    """Promoted again, it answers as before, by a grant whose keys count now; there is still one to go back to."""
    office = Office()
    before = office.promoted()
    state = office.does("promote", "eve", approvers=("cat",), model=model("2"))
    assert (state.champion, state.previous, state.versions) == (
        before.champion,
        before.previous,
        before.versions,
    )
    assert [one.of for one in state.basis] != []
    assert next(one for one in state.basis if one.of == "champion") != next(
        one for one in before.basis if one.of == "champion"
    )


def test_a_tier_never_goes_down() -> None:
    """A model of lower risk in a deployment of higher risk is promoted as the higher one asks."""
    office = Office("high")
    office.created()
    office.tier = "low"
    office.registered("2")
    assert office.state.tier == "high"
    asked = office.ask("shadow", "ann", model=model("2"))
    assert (asked.event, asked.lacking) == ("waits", 1)


def test_a_riskier_model_raises_the_tier_when_it_serves() -> None:
    """Registered it changes nothing; to serve it is judged by its own tier, which is the deployment's from then on."""
    office = Office("low")
    office.created()
    office.tier = "medium"
    office.registered("2")
    assert office.state.tier == "low"
    office.does("shadow", "ann", model=model("2"))
    asked = office.ask("promote", "ann", model=model("2"))
    assert (asked.event, asked.lacking) == ("waits", 1)
    office.approve(asked, "bob")
    assert (office.state.tier, office.state.max_stale_s) == ("medium", 86_400.0)


def test_what_a_deployment_knows_is_bounded() -> None:
    """64 versions and 4 shadows; the oldest retired version makes room for another."""
    office = Office("low")
    office.created("0")
    for number in range(1, MAX_VERSIONS):
        office.does("register", "ann", model=model(str(number)), manifest="e30=", profile=PROFILE)
    fields: dict[str, Any] = {"model": model("x"), "manifest": "e30=", "profile": PROFILE}
    refused(office.ask("register", "ann", **fields), "64 versions", "retire one")
    office.does("retire", "ann", model=model("7"))
    office.does("register", "ann", **fields)
    assert len(office.state.versions) == MAX_VERSIONS
    assert model("7") not in {one.model for one in office.state.versions}
    for number in range(1, MAX_SHADOWS + 2):
        office.does("validate", "val", model=model(str(number)), evidence=EVIDENCE)
        asked = office.ask("shadow", "ann", model=model(str(number)))
        office.prepared()
        assert (asked.event == "decided") == (number <= MAX_SHADOWS)
