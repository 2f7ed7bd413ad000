"""What the controller does of its own accord, and what people stop: steps, waits, halts, going back."""

from __future__ import annotations

from doubting import Agent
from msgspec.structs import replace
from office import PASS, PLAN, PROFILE, Office, halted, refused, rolled_out, stages
from signed import model

from driftline.agents.control import moves
from driftline.agents.control.moves import Evidence
from driftline.agents.control.verdicts import Refusal
from driftline.schemas.control.command import Plan
from driftline.schemas.control.serving_state import ServingState


def test_no_step_passes_without_data() -> None:
    """Too early, too few rows, another profile, a verdict that is not `pass`: the step stays, and says why."""
    office = Office()
    office.canary()
    at = office.desk.at(office.now_ms + 61_000)
    for evidence, moment, said in (
        (PASS, office.desk.at(office.now_ms + 59_999), "60 s at least"),
        (Evidence("pass", 99, PROFILE), at, "99 rows; 100 are needed"),
        (Evidence("pass", 0, PROFILE), at, "0 rows"),
        (Evidence("pass", 1_000, "00" * 32), at, "another profile"),
        (Evidence("wait", 1_000, PROFILE), at, "'wait'"),
        (Evidence("worse", 1_000, PROFILE), at, "'worse'"),
    ):
        found = moves.next_step(office.state, evidence, moment)
        assert isinstance(found, Refusal)
        assert said in found.sentence
    assert not isinstance(moves.next_step(office.state, PASS, at), Refusal)


def test_a_rollout_of_no_rows_at_all_needs_one() -> None:
    """A plan that asks for no rows does not pass on none: a missing figure is no success."""
    office = Office("low")
    office.created()
    office.registered("2")
    steps = tuple(replace(step, min_rows=0, bake_s=0) for step in PLAN.steps)
    office.does("canary", "ann", model=model("2"), plan=replace(PLAN, steps=steps))
    found = moves.next_step(office.state, Evidence("pass", 0, PROFILE), office.desk.at(office.now_ms))
    assert isinstance(found, Refusal)


def test_a_promotion_waits_for_the_last_step() -> None:
    """Before all steps have passed it is refused, after that it is not; broken glass lifts steps, and no halt."""
    office = Office("low")
    office.canary()
    refused(office.ask("promote", "ann", model=model("2")), "step 1 of 2", "has not passed")
    office.stepped()
    assert office.state.rollout is not None
    assert (office.state.rollout.weight, office.state.rollout.step) == (5_000, 1)
    refused(office.ask("promote", "ann", model=model("2")), "step 2 of 2")
    office.stepped()
    assert office.state.rollout is not None
    assert (office.state.rollout.weight, office.state.rollout.passed) == (5_000, True)
    office.does("promote", "ann", model=model("2"))
    other = Office("low")
    other.canary()
    other.does("halt-rollout", "cat")
    refused(other.ask("promote", "oli", model=model("2"), break_glass=True), "halted")
    other.does("resume", "oli", target="rollout", break_glass=True)
    other.does("promote", "oli", model=model("2"), break_glass=True)


def test_a_paused_rollout_stays_until_it_is_resumed() -> None:
    """No step passes, no promotion goes; resumed, the step lasts its time again."""
    office = Office("low")
    office.canary()
    office.now_ms += 61_000
    office.does("halt-rollout", "cat")
    assert isinstance(moves.next_step(office.state, PASS, office.desk.at(office.now_ms)), Refusal)
    refused(office.ask("promote", "ann", model=model("2")), "halted")
    office.does("resume", "oli", target="rollout")
    assert isinstance(moves.next_step(office.state, PASS, office.desk.at(office.now_ms)), Refusal)
    office.stepped()


def test_a_rollout_that_passed_and_was_paused_is_not_promoted() -> None:
    """Whoever paused it after its last step wants it to stay where it is."""
    office = rolled_out("low")
    office.does("halt-rollout", "cat")
    refused(office.ask("promote", "ann", model=model("2")), "the rollout is halted")
    office.does("resume", "oli", target="rollout")
    office.does("promote", "ann", model=model("2"))


def test_a_rollout_that_cannot_be_judged_is_abandoned() -> None:
    """After `max_wait` it is overdue, paused or not; abandoned, no caller goes to it and it is rolled back."""
    office = Office("low")
    office.canary()
    limit_ms = office.now_ms + 3 * 86_400_000
    assert not moves.is_overdue(office.state, limit_ms)
    assert moves.is_overdue(office.state, limit_ms + 1)
    office.does("halt-rollout", "cat")
    assert moves.is_overdue(office.state, limit_ms + 1)
    made = moves.abandon(office.state, office.desk.at(office.now_ms))
    assert isinstance(made, ServingState)
    assert (made.rollout, made.champion, stages(made)["2"]) == (None, model("1"), "rolled_back")
    assert {one.of for one in made.basis} == {"champion"}
    assert isinstance(moves.abandon(made, office.desk.at(office.now_ms)), Refusal)
    assert not moves.is_overdue(made, limit_ms + 1)


def test_windows_take_a_champion_back_where_its_plan_lets_them() -> None:
    """Within the bake time the previous champion comes back; a plan may leave that to people."""
    office = Office()
    office.promoted()
    made = moves.back(office.state, office.desk.at(office.now_ms))
    assert isinstance(made, ServingState)
    assert (made.champion, made.previous, stages(made)) == (
        model("1"),
        None,
        {"1": "champion", "2": "rolled_back"},
    )
    other = Office()
    other.promoted(plan=Plan(automatic_rollback=False))
    found = moves.back(other.state, other.desk.at(other.now_ms))
    assert isinstance(found, Refusal)
    assert "people" in found.sentence
    assert isinstance(moves.back(made, office.desk.at(office.now_ms)), Refusal)


def test_the_bake_time_ends() -> None:
    """Before its end the previous champion stays; after it, it is let go, and can still be gone back to."""
    office = Office()
    office.promoted()
    early = moves.baked(office.state, office.desk.at(office.state.bake_until_ms - 1))
    assert isinstance(early, Refusal)
    office.now_ms = office.state.bake_until_ms
    made = moves.baked(office.state, office.desk.at(office.now_ms))
    office.desk.move(made, "the bake time is over", office.now_ms)
    assert (office.state.previous, office.state.loaded) == (None, frozenset({model("2")}))
    assert isinstance(moves.back(office.state, office.desk.at(office.now_ms)), Refusal)
    decided = office.ask("rollback", "oli", model=model("1"))
    assert decided.after is not None
    assert decided.after.prepares == (model("1"),)
    assert office.prepared().champion == model("1")


def test_a_halt_that_no_person_asked_for_is_obeyed() -> None:
    """It says that it was a controller, and only a person resumes."""
    office = Office("low")
    office.created()
    agent = Agent(office)
    office.desk.move(halted(office.state, office.desk.at(office.now_ms)), "why", office.now_ms)
    agent.sees(office.published())
    refused(office.ask("promote", "ann", model=model("1")), "halted")
    assert office.does("resume", "oli", target="serving").halt is None


def test_an_earlier_champion_answers_instead() -> None:
    """A halt may name one of the last champions; it holds at once, before that one is loaded."""
    office = Office()
    office.promoted()
    office.now_ms = office.state.bake_until_ms
    office.desk.move(moves.baked(office.state, office.desk.at(office.now_ms)), "baked", office.now_ms)
    asked = office.ask("halt-serving", "oli", model=model("1"))
    assert asked.after is not None
    assert asked.after.halt is not None
    assert (asked.after.phase, asked.after.halt.instead) == ("activate", model("1"))
    assert model("1") in asked.after.loaded


def test_who_answers_instead_becomes_champion_and_is_not_retired() -> None:
    """A rollback to what answers meanwhile is believed, and so is the end of the halt; until then it stays."""
    office = Office("low")
    office.promoted(plan=Plan(bake_s=1.0))
    office.now_ms += 61_000
    office.told += office.desk.move(
        moves.baked(office.state, office.desk.at(office.now_ms)), "baked", office.now_ms
    )
    office.does("halt-serving", "oli", model=model("1"))
    refused(office.ask("retire", "sue", model=model("1")), "version 1 answers while serving is halted")
    assert office.does("rollback", "oli", model=model("1")).champion == model("1")
    office.does("resume", "oli", target="serving")
    believed = Agent(office).believed
    assert believed is not None
    assert believed.state == office.state


def test_without_anything_to_move_nothing_moves() -> None:
    """Before a champion, a rollout or a previous champion, each move is a sentence, and nothing is told of it."""
    office = Office("low")
    state, at = office.registered("1"), office.desk.at(office.now_ms)
    for made, said in (
        (moves.next_step(state, PASS, at), "no rollout"),
        (moves.abandon(state, at), "no rollout"),
        (moves.back(state, at), "no previous champion"),
        (moves.baked(state, at), "no previous champion"),
    ):
        assert isinstance(made, Refusal)
        assert said in made.sentence
        assert office.desk.move(made, "why", office.now_ms) == []


def test_a_bake_time_does_not_end_while_something_is_prepared() -> None:
    """The end of a bake time would cancel the change; it waits for it."""
    office = Office("low")
    office.promoted()
    office.registered("3")
    office.now_ms = office.state.bake_until_ms
    office.ask("promote", "ann", model=model("3"))
    found = moves.baked(office.state, office.desk.at(office.now_ms))
    assert isinstance(found, Refusal)
    assert "still being prepared" in found.sentence


def test_what_is_not_paused_is_not_resumed() -> None:
    """A resumption of a rollout that goes on would begin its step anew."""
    office = Office("low")
    office.canary()
    refused(office.ask("resume", "oli", target="rollout"), "is paused")


def test_a_canary_that_passed_waits_for_people() -> None:
    """After its last step it is never overdue: how long people take to promote is theirs."""
    office = rolled_out("low")
    assert not moves.is_overdue(office.state, office.now_ms + 10 * 86_400_000)


def test_no_step_passes_while_serving_is_halted() -> None:
    """Windows of a halted deployment say nothing about its canary."""
    office = Office("low")
    office.canary()
    office.does("halt-serving", "cat")
    office.now_ms += 61_000
    found = moves.next_step(office.state, PASS, office.desk.at(office.now_ms))
    assert isinstance(found, Refusal)
    assert "it is halted" in found.sentence
