"""Standing: whether all that stands in a state is warranted, and follows from what was believed before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.agents.control.case import Case, must
from driftline.agents.control.deeds import STALE_S
from driftline.agents.control.grants import CHAMPIONS, asked, first
from driftline.agents.control.tiers import tier_fault
from driftline.agents.control.warrant import WarrantError
from driftline.schemas.control.command import AHEAD_MS

if TYPE_CHECKING:
    from driftline.agents.control.marks import Marks
    from driftline.agents.control.warrant import Warrant
    from driftline.schemas.control.serving_state import Grant, Rollout, ServingState, Standing

BACK: Final = "after going back there is nothing more to go back to, and a previous champion is shown"


def checked(case: Case) -> Marks:
    """Check all that the state says is so, and give the marks after it; raises WarrantError with a sentence."""
    state, before = case.state, case.before
    if state.is_retired:
        retired = case.one("retired", None, "retire")
        must(retired.command.model is None, "the retire of one version is shown for that of the deployment")
        if before is not None and not before.is_retired:
            case.fresh(retired)
        must(not state.prepares and state.change is None, "a retired deployment prepares nothing")
        must(not state.loaded, "a retired deployment serves nothing")
        return case.marks
    must(before is None or not before.is_retired, "a retired deployment stays retired")
    if (wrong := tier_fault(state, before, case.tiers)) is not None:
        raise WarrantError(wrong)
    must(
        state.max_stale_s <= STALE_S[state.tier],
        "the state lets agents serve on without news for longer than the tier allows",
    )
    champion = _champion(case)
    rollout = _rollout(case)
    _halts(case)
    for model in state.shadows:
        shadow = case.one("shadow", model, "shadow")
        if before is not None and model not in before.shadows:
            case.fresh(shadow)
    _previous(case)
    if state.prepares or state.change is not None:
        must(state.phase == "prepare", "a state prepares something outside its phase")
        _change(case)
    return case.marks.grown(state, champion=champion, rollout=rollout)


def _champion(case: Case) -> int:
    """Check who answers, and give the mark of champions."""
    state, before, mark = case.state, case.before, case.marks.champion
    if state.champion is None:
        must(before is None or before.champion is None, "a deployment that had a champion has none")
        must(not state.loaded, "something is loaded though nothing serves")
        return mark
    grant = case.one("champion", state.champion, *CHAMPIONS)
    if before is None:
        return max(mark, grant.expected)
    if before.champion == state.champion:
        stood = _placed(before)
        must(
            stood is not None and (asked(stood.command) == grant.command or grant.expected >= mark),
            f"version {state.champion.version} is champion by an older command than the last",
        )
        return max(mark, grant.expected)
    if grant.expected > mark:
        case.fresh(grant)
        return grant.expected
    rollback = case.found("rollback", state.champion, "rollback")
    if rollback is not None and rollback.expected > mark:
        case.fresh(rollback)
        must(state.previous is None, BACK)
        return rollback.expected
    fallen = _fallen(case, before)
    if fallen is None:
        name = f"version {state.champion.version}"
        raise WarrantError(
            f"{name} was made champion by an older command than the last, and nobody went back"
        )
    must(state.previous is None, BACK)
    return max(mark, fallen)


def _previous(case: Case) -> None:
    """Check that what windows may go back to is the champion of just before, and no older one."""
    state, before = case.state, case.before
    if state.previous is None:
        return
    once = case.one("earlier", state.previous, *CHAMPIONS)
    if before is None or state.previous in (before.champion, before.previous):
        return
    if once.expected > case.marks.champion:
        return
    # Of states that were missed, the one before this one was made champion again by a command since then.
    again = case.found("rollback", state.previous, "rollback")
    must(
        again is not None and again.expected > case.marks.champion,
        f"version {state.previous.version} is shown as the previous champion, and another one was since",
    )


def _placed(before: ServingState) -> Grant | None:
    """The grant by which a champion was believed."""
    model = before.champion
    return None if model is None else first(before.basis, "champion", model, CHAMPIONS)


def _fallen(case: Case, before: ServingState) -> int | None:
    """The mark of the last champion, where the plan that it stood by lets windows go back; None where it does not."""
    grant, model, mark = _placed(before), before.champion, case.marks.champion
    if grant is None or model is None or case.state.champion != before.previous:
        return None
    # Of states that were missed one may have let windows go back, by a promotion of the same champion.
    last = first(case.state.basis, "fallen", model, CHAMPIONS)
    if last is not None and (asked(last.command).expected_revision or 0) > mark:
        try:
            warrant = case.granted(last)
            case.fresh(warrant)
            if _lets_go_back(warrant):
                return warrant.expected
        except WarrantError:
            pass  # it does not count, as where a key was revoked since: then the plan that is known does
    warrant = case.granted(grant)
    return warrant.expected if _lets_go_back(warrant) else None


def _lets_go_back(warrant: Warrant) -> bool:
    """Whether the plan of a promotion lets windows take it back."""
    plan = warrant.command.plan
    return plan is None or plan.automatic_rollback


def _rollout(case: Case) -> int:
    """Check the canary and its weight, and give the mark of rollouts."""
    state, before, mark = case.state, case.before, case.marks.rollout
    rollout = state.rollout
    if rollout is None:
        return mark
    grant = case.one("rollout", rollout.model, "canary")
    must(
        rollout.plan == grant.command.plan and rollout.rollout_id == grant.command.command_id,
        "the rollout is not the one that was signed",
    )
    steps = rollout.plan.steps
    must(
        0 <= rollout.step < len(steps) and rollout.weight == steps[rollout.step].weight,
        f"the weight {rollout.weight} is not that of step {rollout.step} of the signed plan",
    )
    old = None if before is None else before.rollout
    # The first step began when it did; one that is known may have begun by a clock that was ahead, and is set right.
    is_new = rollout.step > 0 and (
        old is None or (old.step, old.step_since_ms) != (rollout.step, rollout.step_since_ms)
    )
    must(
        # A state says when it was decided once and for all: a controller that was ahead is believed as time goes by.
        not is_new or rollout.step_since_ms <= max(state.decided_at_ms, case.now_ms),
        "a step of the rollout began after the state was decided",
    )
    if old is not None and old.rollout_id == rollout.rollout_id:
        _continued(case, old, rollout)
        return max(mark, grant.expected)
    held_ms = sum(round(step.bake_s * 1000) for step in steps[: rollout.step])
    must(
        rollout.step_since_ms >= grant.command.issued_at_ms - AHEAD_MS + held_ms,
        f"step {rollout.step} of the rollout began before the steps before it can have lasted their time",
    )
    if before is not None:
        must(grant.expected > mark, "the rollout was taken back before, and is shown again")
        case.fresh(grant)
    return max(mark, grant.expected)


def _continued(case: Case, old: Rollout, new: Rollout) -> None:
    """Check that a rollout went on, as its plan says and not while people hold it."""
    must(new.step >= old.step, "the weight of a rollout goes back to nothing, never to an earlier step")
    held_ms = sum(round(step.bake_s * 1000) for step in old.plan.steps[old.step : new.step])
    must(
        new.step_since_ms >= old.step_since_ms + held_ms,
        "a step of the rollout lasted shorter than its plan says",
    )
    must(
        not (old.paused and new.paused) or new.paused_revision >= old.paused_revision,
        "the pause of the rollout is shown as one of an earlier revision",
    )
    if old.paused and (not new.paused or new.step != old.step):
        sentence = "the rollout was paused by a person, and nobody resumed it"
        _resumed(case, "resumed-rollout", "rollout", old.paused_revision, sentence)


def _halts(case: Case) -> None:
    """Check that nobody but a person ends a halt, and that what answers instead was a champion."""
    state, before = case.state, case.before
    old = None if before is None else before.halt
    if state.halt is not None and state.halt.instead is not None:
        halt = case.one("halt", state.halt.instead, "halt-serving")
        if old is None or old.instead != state.halt.instead:
            case.fresh(halt)
        # Whoever goes back while it answers instead makes it the champion.
        instead = case.found("earlier", state.halt.instead, *CHAMPIONS)
        was = instead or case.found("champion", state.halt.instead, *CHAMPIONS)
        must(was is not None, "what answers instead was not a champion before")
    if old is None:
        return
    if state.halt is not None:
        must(state.halt.revision >= old.revision, "the halt is shown as one of an earlier revision")
        return
    _resumed(case, "resumed-serving", "serving", old.revision, "serving was halted, and nobody resumed it")


def _resumed(case: Case, of: Standing, target: str, since: int, sentence: str) -> None:
    """Check that a person ended what stood at a revision, by a command that knew of it."""
    found = case.found(of, None, "resume")
    if found is None or found.command.target != target or found.expected < since:
        raise WarrantError(sentence)
    case.fresh(found)


def _change(case: Case) -> None:
    """Check that what is to be loaded was asked for."""
    grant = case.one("change", None, "create", "shadow", "canary", "promote", "rollback")
    wanted = {grant.command.model}
    must(set(case.state.prepares) <= wanted, "a state prepares what its command does not name")
    must(case.state.change == grant.digest, "a state prepares another change than the one that is shown")
    case.fresh(grant)
    if grant.command.op == "rollback":
        case.one("earlier", grant.command.model, *CHAMPIONS)
