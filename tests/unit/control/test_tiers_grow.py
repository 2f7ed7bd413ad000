"""A deployment whose tier grows: what was decided before stands on for every agent, and excuses nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from doubting import Agent, stood, swapped, text
from msgspec.structs import replace
from office import PLAN, PROFILE, Office
from signed import model, signed

from driftline.agents.control import moves
from driftline.agents.control.marks import Marks
from driftline.agents.control.verdicts import Refusal
from driftline.agents.control.verify_state import Believed, verify_state
from driftline.schemas.control.serving_state import Grant, Tier

WHO: dict[Tier, dict[str, tuple[str, ...]]] = {
    "low": {},
    "medium": {"create": ("bob",), "canary": ("bob",), "promote": ("bob",)},
    "high": {"create": ("bob", "cat"), "shadow": ("bob",), "canary": ("bob",), "promote": ("bob", "cat")},
}
"""Who has to approve what."""


def does(office: Office, tier: Tier, op: Any, version: str, word: str = "ann", **fields: Any) -> None:
    """Let something become so that a tier has approvals for."""
    office.does(op, word, approvers=WHO[tier].get(op, ()), model=model(version), **fields)


def everybody_believes(office: Office) -> None:
    """Hold every state against what each agent believes that saw all, nothing, or all until some state before it."""
    states = [decision.after for decision in office.told if decision.after is not None]
    known: list[Believed | None] = [None]
    for state in states:
        data = office.published(state)
        for before in known:
            found = verify_state(data, "churn", before, office.desk.history, office.now_ms, {}, ())
        known.append(found)


@pytest.mark.parametrize(("old", "new"), [("low", "medium"), ("low", "high"), ("medium", "high")])
def test_a_riskier_model_walks_its_path_and_can_be_gone_back_from(old: Tier, new: Tier) -> None:
    """Shadow, canary, promotion, the way back: all is believed, whatever an agent missed; a canary makes the tier grow.

    The champion before it, and a shadow beside it, had the approvals of the milder tier.
    """
    office = Office(old)
    office.registered("1")
    does(office, old, "create", "1")
    office.registered("s")
    does(office, old, "shadow", "s")
    office.tier = new
    office.registered("2")
    does(office, new, "shadow", "2")
    assert office.state.tier == old
    does(office, new, "canary", "2", plan=PLAN)
    assert office.state.tier == new
    office.stepped()
    office.stepped()
    does(office, new, "promote", "2")
    office.does("rollback", "oli", model=model("1"))
    assert (office.state.champion, office.state.tier) == (model("1"), new)
    everybody_believes(office)


def test_before_the_first_champion_whatever_was_registered_decides() -> None:
    """A model of a higher tier, by whoever may register, lets the first champion wait for as many, and for good."""
    office = Office("low")
    office.registered("1")
    office.tier = "high"
    office.ask("register", "bot", model=model("9"), manifest="e30=", profile=PROFILE)
    assert office.state.tier == "high"
    does(office, "high", "create", "1")
    assert office.state.tier == "high"
    everybody_believes(office)


def test_an_older_champion_can_be_gone_back_to_after_the_bake_time() -> None:
    """It is loaded no more, and was decided at the milder tier: nobody has to approve it again."""
    office = Office("low")
    office.registered("1")
    does(office, "low", "create", "1")
    office.tier = "medium"
    office.registered("2")
    does(office, "medium", "shadow", "2")
    does(office, "medium", "promote", "2")
    office.now_ms += 86_400_000
    baked = moves.baked(office.state, office.desk.at(office.now_ms))
    assert not isinstance(baked, Refusal)
    office.told += office.desk.move(baked, "the bake time is over", office.now_ms)
    assert model("1") not in office.state.loaded
    office.does("rollback", "oli", model=model("1"))
    assert office.state.champion == model("1")
    everybody_believes(office)


def test_a_command_is_judged_no_milder_than_the_deployment_was_when_it_was_asked_for() -> None:
    """Whoever has the controller's key cannot say of one without approvals that it was decided at a milder tier."""
    office = Office("high")
    office.registered("1")
    does(office, "high", "create", "1")
    office.tier = "low"
    office.registered("2")
    agent, state = Agent(office), office.state
    asked = signed(office.build("promote", model=model("2")), "ann")
    grant = Grant(of="champion", command=text(asked), tier="low")
    basis = (*swapped(state, "champion", grant), replace(stood(state, "champion"), of="earlier"))
    agent.refuses("with 0 approvals at tier high", champion=model("2"), previous=model("1"), basis=basis)


def test_marks_know_what_tier_a_deployment_had() -> None:
    """The first revision at each tier is kept; what is asked without a revision is of the newest."""
    state = Office("low").created()
    marks = Marks()
    tiers: tuple[tuple[int, Tier], ...] = (
        (3, "low"),
        (5, "medium"),
        (7, "medium"),
        (9, "high"),
        (11, "high"),
    )
    for revision, tier in tiers:
        marks = marks.grown(replace(state, revision=revision, tier=tier), champion=1, rollout=2)
    assert marks == Marks(champion=1, rollout=2, medium=5, high=9, latest_ms=state.decided_at_ms)
    assert [marks.tier_at(one) for one in (4, 5, 8, 9, None)] == ["low", "medium", "medium", "high", "high"]
    jumped = Marks().grown(replace(state, revision=4, tier="high"), champion=1, rollout=1)
    assert [jumped.tier_at(one) for one in (3, 4)] == ["low", "high"]
