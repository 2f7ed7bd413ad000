"""What agents believe of rollouts and halts: a thief moves along the plan, and ends nothing that people halted."""

from __future__ import annotations

from typing import Any

from doubting import DAY_MS, Agent, text, unapproved
from msgspec.structs import replace
from office import PLAN, Office
from signed import NOW_MS, command, model, signed

from driftline.agents.control import moves
from driftline.schemas.control.command import ModelRef, Plan, Step
from driftline.schemas.control.envelope import Envelope
from driftline.schemas.control.serving_state import Grant, Halt, Rollout


def test_a_thief_moves_a_canary_only_along_its_plan(rolling: Agent) -> None:
    """Not to a weight that no step has, not to another plan or salt, not before the step has lasted its time."""
    state = rolling.office.state
    rollout = state.rollout
    assert rollout is not None
    plan = Plan(steps=(Step(weight=10_000),))
    other = "01890000-0000-7000-8000-00000000000f"
    for fields, said in (
        ({"weight": 10_000}, "is not that of step 0"),
        ({"weight": 5_000}, "is not that of step 0"),
        ({"step": 2, "weight": 5_000}, "is not that of step 2"),
        ({"step": -1, "weight": 5_000}, "is not that of step -1"),
        ({"plan": plan, "weight": 10_000}, "not the one that was signed"),
        ({"rollout_id": other}, "not the one that was signed"),
        ({"step": 1, "weight": 5_000}, "lasted shorter"),
        ({"step": 1, "weight": 5_000, "step_since_ms": NOW_MS + 60_000}, "after the state was decided"),
        ({"model": model("1")}, "of version 1 is shown for the rollout"),
    ):
        rolling.refuses(said, rollout=replace(rollout, **fields))
    rolling.office.now_ms += 60_000
    next_weight = replace(rollout, step=1, weight=5_000, step_since_ms=rolling.office.now_ms)
    assert rolling.is_shown(rollout=next_weight).state.rollout == next_weight
    rolling.refuses("never to an earlier step", revision=state.revision + 2, rollout=rollout)


def test_a_canary_that_was_taken_back_is_not_shown_again(rolling: Agent) -> None:
    """Abandoned once, its command counts no more; a new canary of a later command does."""
    office, before = rolling.office, rolling.office.state
    made = moves.abandon(before, office.desk.at(office.now_ms))
    office.desk.move(made, "overdue", office.now_ms)
    rolling.sees(office.published())
    rolling.refuses("taken back before", rollout=before.rollout, versions=before.versions, basis=before.basis)
    office.does("validate", "val", model=model("2"), evidence="ef" * 32)
    office.does("shadow", "ann", approvers=("bob",), model=model("2"))
    office.does("canary", "ann", approvers=("bob",), model=model("2"), plan=PLAN)
    rolling.sees(office.published())


def test_only_people_end_what_people_halted(rolling: Agent) -> None:
    """A halt of serving and a pause of a rollout stay until a person's resumption that knew of them is shown."""
    office = rolling.office
    early = office.build("resume", target="serving")
    office.does("halt-serving", "cat")
    office.does("halt-rollout", "cat")
    rolling.sees(office.published(office.told[-2].after))
    rolling.sees(office.published())
    state, rollout = office.state, office.state.rollout
    assert rollout is not None
    rolling.refuses("halted, and nobody resumed it", halt=None)
    stale = Grant(of="resumed-serving", command=text(signed(early, "oli")), approvals=())
    rolling.refuses("does not let oli resume", halt=None, basis=(*state.basis, stale))
    approved = text(signed(office.build("approve", target=signed(early, "oli").digest), "bob"))
    rolling.refuses(
        "nobody resumed it", halt=None, basis=(*state.basis, replace(stale, approvals=(approved,)))
    )
    rolling.refuses("paused by a person", rollout=replace(rollout, paused=False))
    office.now_ms += 120_000
    going = replace(rollout, step=1, weight=5_000, step_since_ms=office.now_ms)
    rolling.refuses("paused by a person", rollout=going)
    rolling.is_shown(rollout=None, revision=state.revision + 1)
    rolling.believed = Agent(office).believed
    office.does("resume", "oli", approvers=("bob",), target="serving")
    assert rolling.sees(office.published()).state.halt is None
    office.does("resume", "oli", approvers=("bob",), target="rollout")
    assert rolling.sees(office.published()).state.rollout is not None


def test_a_resumption_is_for_what_it_says_and_for_what_it_knew(rolling: Agent) -> None:
    """That of a rollout ends no halt, that of serving no pause, and one of before a pause does not end it."""
    office = rolling.office

    def resumption(target: str, of: Any) -> Grant:
        asked = signed(office.build("resume", target=target), "oli")
        approval = text(signed(office.build("approve", target=asked.digest), "bob"))
        return Grant(of=of, command=text(asked), approvals=(approval,))

    early = resumption("rollout", "resumed-rollout")
    office.does("halt-serving", "cat")
    office.does("halt-rollout", "cat")
    rolling.sees(office.published())
    state, rollout = office.state, office.state.rollout
    assert rollout is not None
    of_other = resumption("rollout", "resumed-serving")
    rolling.refuses("nobody resumed it", halt=None, basis=(*state.basis, of_other))
    going = replace(rollout, paused=False)
    for grant in (early, resumption("serving", "resumed-rollout")):
        rolling.refuses("paused by a person", rollout=going, basis=(*state.basis, grant))
    true = resumption("rollout", "resumed-rollout")
    assert rolling.is_shown(rollout=going, basis=(*state.basis, true)).state.rollout == going


def test_a_thief_may_halt_and_nothing_else_answers_instead(high: Agent) -> None:
    """Stopping is always believed; what answers instead must be named by a person, and have been a champion."""
    state = high.office.state
    halt = Halt(reason="stolen", by="controller", revision=state.revision + 1)
    high.refuses("of version 3 is shown for the halt", halt=replace(halt, instead=model("3")))
    asked = command("halt-serving", at_ms=high.office.now_ms, model=model("3"))
    grant = Grant(of="halt", command=text(signed(asked, "oli")))
    high.refuses("was not a champion", halt=replace(halt, instead=model("3")), basis=(*state.basis, grant))
    assert high.is_shown(halt=halt).state.halt == halt


def test_nothing_is_loaded_that_nobody_asked_for(high: Agent) -> None:
    """What instances prepare is what a command names, with its approvals, in its phase."""
    state = high.office.state
    high.refuses("is shown for the change", phase="prepare", prepares=(model("3"),))
    grant = unapproved(high.office, "bob", "cat")
    basis = (*state.basis, replace(grant, of="change"))
    other = ModelRef(name="churn", version="x", manifest="00" * 32)
    digest = Envelope.from_bytes(grant.command.encode()).digest
    high.refuses("outside its phase", prepares=(model("3"),), basis=basis)
    high.refuses("does not name", phase="prepare", prepares=(model("3"), other), basis=basis)
    high.refuses("another change", phase="prepare", prepares=(model("3"),), basis=basis)
    high.refuses("outside its phase", change=digest, basis=basis)
    high.refuses("another change", phase="prepare", change="00" * 32, basis=basis)
    high.is_shown(phase="prepare", prepares=(model("3"),), change=digest, basis=basis)


def test_shadows_and_previous_champions_are_warranted(high: Agent) -> None:
    """A shadow that nobody asked for, or a previous champion that never was one, is refused."""
    high.refuses("of version 3 is shown for the shadow", shadows=(model("3"),))
    high.refuses("of version 3 is shown for the earlier", previous=model("3"))


def test_a_canary_of_a_lapsed_command_is_not_shown_later() -> None:
    """A canary that was asked four days ago and never began does not begin now."""
    office = Office("low")
    office.created()
    office.registered("2")
    asked = office.build("canary", model=model("2"), plan=PLAN)
    grant = Grant(of="rollout", command=text(signed(asked, "ann")))
    office.now_ms += 4 * DAY_MS
    office.registered("3")
    rollout = Rollout(
        rollout_id=asked.command_id,
        model=model("2"),
        weight=500,
        step=0,
        step_since_ms=office.now_ms,
        plan=PLAN,
    )
    Agent(office).refuses("lapsed", rollout=rollout, basis=(*office.state.basis, grant))


def test_nothing_is_loaded_where_nothing_serves() -> None:
    """Before the first champion there is no shadow, no canary, nothing that answers instead."""
    office = Office("low")
    office.registered("1")
    agent = Agent(office)
    asked = office.build("shadow", model=model("1"))
    grant = Grant(of="shadow", command=text(signed(asked, "ann")))
    agent.refuses("though nothing serves", shadows=(model("1"),), basis=(grant,))
    asked = office.build("canary", model=model("1"), plan=PLAN)
    rollout = Rollout(
        rollout_id=asked.command_id,
        model=model("1"),
        weight=500,
        step=0,
        step_since_ms=office.now_ms,
        plan=PLAN,
    )
    grant = Grant(of="rollout", command=text(signed(asked, "ann")))
    agent.refuses("though nothing serves", rollout=rollout, basis=(grant,))


def test_a_rollback_prepares_only_what_was_champion(high: Agent) -> None:
    """An operator's rollback to a model that never was champion loads nothing."""
    asked = signed(high.office.build("rollback", model=model("3")), "oli")
    grant = Grant(of="change", command=text(asked))
    fields = {"phase": "prepare", "prepares": (model("3"),), "change": asked.digest}
    high.refuses("of version 3 is shown for the earlier", **fields, basis=(*high.office.state.basis, grant))


def test_who_missed_a_resumption_believes_the_next_pause() -> None:
    """A rollout was paused, resumed, went on a step and was paused again, all while an agent heard nothing."""
    office = Office("low")
    office.canary()
    office.does("halt-rollout", "ann")
    agent = Agent(office)
    office.does("resume", "ann", target="rollout")
    office.stepped()
    office.does("halt-rollout", "ann")
    rollout = office.state.rollout
    assert rollout is not None
    assert (rollout.step, rollout.paused) == (1, True)
    assert agent.sees(office.published()).state == office.state
    agent.refuses("paused by a person", rollout=replace(rollout, paused=False))
