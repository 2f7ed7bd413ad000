"""What a thief of the controller's key shows again: commands of people that were carried out, and ended, long ago."""

from __future__ import annotations

import pytest
from doubting import DAY_MS, Agent, stood
from msgspec.structs import replace
from office import PASS, Office
from signed import model

from driftline.agents.control import moves
from driftline.agents.control.grants import asked
from driftline.schemas.control.command import Plan, Step
from driftline.schemas.control.serving_state import Grant

SLOW = Plan(steps=(Step(weight=100, bake_s=3_600), Step(weight=5_000, bake_s=3_600), Step(weight=10_000)))


def baked(office: Office) -> None:
    """Let the bake time of the last promotion end."""
    office.now_ms = office.state.bake_until_ms
    made = moves.baked(office.state, office.desk.at(office.now_ms))
    office.told += office.desk.move(made, "the bake time is over", office.now_ms)


def aged() -> tuple[Office, tuple[Grant, ...]]:
    """Return an office whose champion is the seventh, days later, and what made the first one champion."""
    office = Office("low")
    office.promoted("2")
    first = [one for one in office.state.basis if one.of == "earlier"]
    for version in ("3", "4", "5", "6", "7"):
        office.now_ms += DAY_MS
        office.promoted(version)
        baked(office)
    assert [asked(one.command).model for one in first] == [model("1")]
    return office, tuple(first)


def test_a_rollout_does_not_begin_at_a_later_step() -> None:
    """A canary that nobody saw begin stands at a step only after the steps before it can have lasted their time."""
    office = Office("low")
    office.created()
    office.registered("2")
    agent = Agent(office)
    state = office.does("canary", "ann", model=model("2"), plan=SLOW)
    rollout = state.rollout
    assert rollout is not None
    for step, weight, hours in ((1, 5_000, 0), (2, 10_000, 1)):
        office.now_ms += hours * 3_600_000
        jumped = replace(rollout, step=step, weight=weight, step_since_ms=office.now_ms)
        agent.refuses("lasted their time", rollout=jumped)
    office.now_ms += 3_600_000
    last = replace(rollout, step=2, weight=10_000, step_since_ms=office.now_ms)
    assert agent.is_shown(rollout=last).state.rollout == last


def test_the_first_step_began_no_earlier_than_it_was_asked_for() -> None:
    """Shown as though it had lasted for years, it would have all the steps behind it pass at once."""
    office = Office("low")
    office.created()
    office.registered("2")
    agent = Agent(office)
    state = office.does("canary", "ann", model=model("2"), plan=SLOW)
    assert state.rollout is not None
    agent.refuses("lasted their time", rollout=replace(state.rollout, step_since_ms=0))
    assert agent.is_shown(rollout=state.rollout).state.rollout == state.rollout


@pytest.mark.parametrize("ahead_s", [50, 70, 300])
def test_a_step_by_a_clock_that_was_ahead_is_believed_in_time(ahead_s: int) -> None:
    """What the next controller decides by a right clock is, once the step began, by whoever serves and by a new one.

    Before, that state said when it was decided once and for all, and nobody believed it until the next one.
    """
    office = Office("low")
    office.canary(plan=SLOW)
    agent, new = Agent(office), Agent(Office("low"))
    new.office, new.believed = office, None
    office.now_ms += 3_600_000
    office.ahead_ms = ahead_s * 1_000
    made = moves.next_step(office.state, PASS, office.desk.at(office.clock_ms))
    office.told += office.desk.move(made, "passed", office.clock_ms)
    office.ahead_ms = 0
    office.does("halt-rollout", "ann")
    office.now_ms += ahead_s * 1_000
    for one in (agent, new):
        assert one.sees(office.published()).state.rollout == office.state.rollout


@pytest.mark.parametrize(("first_s", "second_s"), [(0, -300), (59, -60), (180, 0)])
def test_a_rollout_is_resumed_by_a_controller_whose_clock_is_behind_that_of_the_one_before(
    first_s: int, second_s: int
) -> None:
    """Soon after its step began, by a standby's clock before it: the step ends no earlier, and agents believe it."""
    office = Office("medium", ahead_ms=first_s * 1_000)
    office.canary()
    began_ms = office.state.rollout.step_since_ms  # type: ignore[union-attr]  # a canary is under way
    agent = Agent(office)
    office.now_ms += 10_000
    office.does("halt-rollout", "oli")
    agent.sees(office.published(), at_ms=office.now_ms + 150_000)
    office.ahead_ms = second_s * 1_000
    office.now_ms += 10_000
    state = office.does("resume", "ann", approvers=("bob",), target="rollout")
    assert state.rollout is not None
    assert state.rollout.step_since_ms >= began_ms
    office.now_ms += 600_000
    agent.sees(office.published())
    office.stepped()
    agent.sees(office.published())


def test_the_controller_goes_back_no_further_than_the_last_champion() -> None:
    """A champion of long ago is not taken for the one before this one; whoever missed two promotions believes both."""
    office, first = aged()
    agent = Agent(office)
    late = Agent(office)
    basis = (*office.state.basis, *first)
    agent.refuses("another one was since", previous=model("1"), basis=basis)
    office.promoted("8")
    agent.refuses("another one was since", previous=model("1"), basis=(*office.state.basis, *first))
    agent.sees(office.published())
    office.promoted("9")
    assert late.sees(office.published()).state.previous == model("8")
    office.does("rollback", "ann", model=model("8"))
    office.promoted("10")
    assert agent.sees(office.published()).state.previous == model("8")


def test_a_halt_does_not_grow_older() -> None:
    """With the revision of a halt or of a pause set back, an earlier resumption would end it: that is refused."""
    office = Office("low")
    office.canary()
    for op, target in (("halt-serving", "serving"), ("halt-rollout", "rollout")):
        office.does(op, "ann")  # type: ignore[arg-type]  # two of the ops
        office.does("resume", "ann", target=target)
    old = tuple(one for one in office.state.basis if one.of.startswith("resumed"))
    assert len(old) == 2
    office.does("halt-serving", "ann")
    office.does("halt-rollout", "ann")
    agent, state = Agent(office), office.state
    assert state.halt is not None
    assert state.rollout is not None
    agent.refuses("halt is shown as one of an earlier", halt=replace(state.halt, revision=0))
    agent.refuses("pause .* as one of an earlier", rollout=replace(state.rollout, paused_revision=0))
    basis = (*state.basis, *old)
    agent.refuses("nobody resumed it", halt=None, basis=basis)
    agent.refuses("nobody resumed it", rollout=replace(state.rollout, paused=False), basis=basis)
    # From a revision that is yet to come nobody could resume, nor from a later halt of the controller's.
    agent.refuses("revision 99, which is yet to come", halt=replace(state.halt, revision=99))
    agent.refuses("revision 99, which is yet to come", rollout=replace(state.rollout, paused_revision=99))
    office.does("resume", "ann", target="serving")
    office.does("halt-serving", "ann")
    agent.sees(office.published())


def test_what_answers_in_a_halt_is_not_brought_back_by_an_old_halt() -> None:
    """A halt that let an earlier champion answer, and that ended days ago, makes it answer no more."""
    office = Office("low")
    office.promoted("2")
    state = office.does("halt-serving", "ann", model=model("1"))
    halt, grants = state.halt, (stood(state, "halt"), stood(state, "earlier"))
    office.does("resume", "ann", target="serving")
    office.now_ms += 4 * DAY_MS
    office.registered("3")
    agent = Agent(office)
    agent.refuses("lapsed before", halt=halt, basis=(*office.state.basis, *grants))
    office.does("halt-serving", "ann", model=model("1"))
    assert agent.sees(office.published()).state.halt == office.state.halt


def test_a_deployment_is_not_retired_by_what_retired_a_version() -> None:
    """The retire of one version ends that version alone; one of the deployment that failed days ago ends nothing."""
    office = Office("low")
    office.created()
    office.registered("2")
    old = office.ask("retire", "ann", expected_revision=1)
    office.does("retire", "ann", model=model("2"))
    of_version = office.told[-1]
    agent = Agent(office)
    office.now_ms += 4 * DAY_MS
    office.registered("3")
    agent.sees(office.published())
    gone = {"is_retired": True, "champion": None, "previous": None}
    for decision, said in ((of_version, "the retire of one version"), (old, "lapsed before")):
        assert decision.envelope is not None
        grant = Grant(of="retired", command=decision.envelope.to_bytes().decode())
        agent.refuses(said, basis=(grant,), **gone)
    office.does("retire", "ann")
    assert agent.sees(office.published()).state.is_retired
