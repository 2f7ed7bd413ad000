"""Standing: whether all that stands in a state is warranted, and follows from what was believed before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from driftline.agents.control.deeds import STALE_S
from driftline.agents.control.grants import CHAMPIONS, asked, first
from driftline.agents.control.marks import Marks
from driftline.agents.control.tiers import judged_by, tier_fault
from driftline.agents.control.warrant import Warrant, WarrantError, names, warranted
from driftline.schemas.control.command import AHEAD_MS
from driftline.schemas.control.serving_state import Grant, Rollout, ServingState, Standing

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from driftline.agents.control.history import History
    from driftline.schemas.control.command import ModelRef
    from driftline.schemas.control.serving_state import Tier


BACK: Final = "after going back there is nothing more to go back to, and a previous champion is shown"


@dataclass(frozen=True, slots=True)
class Case:
    """A state that is looked at, and what it is held against.

    Attributes:
        state: it.
        before: what was believed before; None on a first start.
        marks: of what was believed before.
        history: of trust and policy.
        tiers: of manifests that are known, by their digests.
        ended: digests of commands and approvals that were denied, refused or lapsed.
        stood: commands and approvals that were believed before; keys that were revoked since count in them.
        now_ms: by the agent's clock, ms since 1970.
    """

    state: ServingState
    before: ServingState | None
    marks: Marks
    history: History
    tiers: Mapping[str, Tier]
    ended: Collection[str]
    stood: Collection[tuple[str, tuple[str, ...]]]
    now_ms: int


def checked(case: Case) -> Marks:
    """Check all that the state says is so, and give the marks after it; raises WarrantError with a sentence."""
    state, before = case.state, case.before
    if state.is_retired:
        retired = _one(case, "retired", None, "retire")
        _must(retired.command.model is None, "the retire of one version is shown for that of the deployment")
        if before is not None and not before.is_retired:
            _fresh(case, retired)
        _must(not state.prepares and state.change is None, "a retired deployment prepares nothing")
        _must(not state.loaded, "a retired deployment serves nothing")
        return case.marks
    _must(before is None or not before.is_retired, "a retired deployment stays retired")
    if (wrong := tier_fault(state, before, case.tiers)) is not None:
        raise WarrantError(wrong)
    _must(
        state.max_stale_s <= STALE_S[state.tier],
        "the state lets agents serve on without news for longer than the tier allows",
    )
    champion = _champion(case)
    rollout = _rollout(case)
    _halts(case)
    for model in state.shadows:
        shadow = _one(case, "shadow", model, "shadow")
        if before is not None and model not in before.shadows:
            _fresh(case, shadow)
    _previous(case)
    if state.prepares or state.change is not None:
        _must(state.phase == "prepare", "a state prepares something outside its phase")
        _change(case)
    return case.marks.grown(state, champion=champion, rollout=rollout)


def _fresh(case: Case, asked: Warrant) -> None:
    """Check that what was not so in the state before could have come to be so since; on a first start all could."""
    before = case.before
    if before is None:
        return
    # The state before may be dated back too; what was stored of old has no latest time.
    latest_ms = max(before.decided_at_ms, case.marks.latest_ms)
    _must(
        asked.until_ms >= latest_ms,
        f"a command to {asked.command.op} is shown that lapsed before the last state was decided",
    )
    _must(
        asked.command.expected_revision is None
        or asked.expected >= before.revision
        or asked.digest == before.change,
        f"a command to {asked.command.op} is shown that had its effect, or was refused, before revision "
        f"{before.revision}",
    )


def _champion(case: Case) -> int:
    """Check who answers, and give the mark of champions."""
    state, before, mark = case.state, case.before, case.marks.champion
    if state.champion is None:
        _must(before is None or before.champion is None, "a deployment that had a champion has none")
        _must(not state.loaded, "something is loaded though nothing serves")
        return mark
    grant = _one(case, "champion", state.champion, *CHAMPIONS)
    if before is None:
        return max(mark, grant.expected)
    if before.champion == state.champion:
        stood = _placed(before)
        _must(
            stood is not None and (asked(stood.command) == grant.command or grant.expected >= mark),
            f"version {state.champion.version} is champion by an older command than the last",
        )
        return max(mark, grant.expected)
    if grant.expected > mark:
        _fresh(case, grant)
        return grant.expected
    rollback = _found(case, "rollback", state.champion, "rollback")
    if rollback is not None and rollback.expected > mark:
        _fresh(case, rollback)
        _must(state.previous is None, BACK)
        return rollback.expected
    _must(
        state.champion == before.previous and _automatic(case, before),
        f"version {state.champion.version} was made champion by an older command than the last, and nobody went back",
    )
    _must(state.previous is None, BACK)
    return mark


def _previous(case: Case) -> None:
    """Check that what windows may go back to is the champion of just before, and no older one."""
    state, before = case.state, case.before
    if state.previous is None:
        return
    once = _one(case, "earlier", state.previous, *CHAMPIONS)
    if before is None or state.previous in (before.champion, before.previous):
        return
    if once.expected > case.marks.champion:
        return
    # Of states that were missed, the one before this one was made champion again by a command since then.
    again = _found(case, "rollback", state.previous, "rollback")
    _must(
        again is not None and again.expected > case.marks.champion,
        f"version {state.previous.version} is shown as the previous champion, and another one was since",
    )


def _placed(before: ServingState) -> Grant | None:
    """The grant by which a champion was believed."""
    model = before.champion
    return None if model is None else first(before.basis, "champion", model, CHAMPIONS)


def _automatic(case: Case, before: ServingState) -> bool:
    """Whether the plan that the last champion stood by lets windows go back."""
    grant = _placed(before)
    if grant is None:
        return False
    plan = _granted(case, grant).command.plan
    return plan is None or plan.automatic_rollback


def _rollout(case: Case) -> int:
    """Check the canary and its weight, and give the mark of rollouts."""
    state, before, mark = case.state, case.before, case.marks.rollout
    rollout = state.rollout
    if rollout is None:
        return mark
    grant = _one(case, "rollout", rollout.model, "canary")
    _must(
        rollout.plan == grant.command.plan and rollout.rollout_id == grant.command.command_id,
        "the rollout is not the one that was signed",
    )
    steps = rollout.plan.steps
    _must(
        0 <= rollout.step < len(steps) and rollout.weight == steps[rollout.step].weight,
        f"the weight {rollout.weight} is not that of step {rollout.step} of the signed plan",
    )
    old = None if before is None else before.rollout
    # The first step began when it did; one that is known may have begun by a clock that was ahead, and is set right.
    is_new = rollout.step > 0 and (
        old is None or (old.step, old.step_since_ms) != (rollout.step, rollout.step_since_ms)
    )
    _must(
        # A state says when it was decided once and for all: a controller that was ahead is believed as time goes by.
        not is_new or rollout.step_since_ms <= max(state.decided_at_ms, case.now_ms),
        "a step of the rollout began after the state was decided",
    )
    if old is not None and old.rollout_id == rollout.rollout_id:
        _continued(case, old, rollout)
        return max(mark, grant.expected)
    held_ms = sum(round(step.bake_s * 1000) for step in steps[: rollout.step])
    _must(
        rollout.step_since_ms >= grant.command.issued_at_ms - AHEAD_MS + held_ms,
        f"step {rollout.step} of the rollout began before the steps before it can have lasted their time",
    )
    if before is not None:
        _must(grant.expected > mark, "the rollout was taken back before, and is shown again")
        _fresh(case, grant)
    return max(mark, grant.expected)


def _continued(case: Case, old: Rollout, new: Rollout) -> None:
    """Check that a rollout went on, as its plan says and not while people hold it."""
    _must(new.step >= old.step, "the weight of a rollout goes back to nothing, never to an earlier step")
    held_ms = sum(round(step.bake_s * 1000) for step in old.plan.steps[old.step : new.step])
    _must(
        new.step_since_ms >= old.step_since_ms + held_ms,
        "a step of the rollout lasted shorter than its plan says",
    )
    _must(
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
        halt = _one(case, "halt", state.halt.instead, "halt-serving")
        if old is None or old.instead != state.halt.instead:
            _fresh(case, halt)
        # Whoever goes back while it answers instead makes it the champion.
        instead = _found(case, "earlier", state.halt.instead, *CHAMPIONS)
        was = instead or _found(case, "champion", state.halt.instead, *CHAMPIONS)
        _must(was is not None, "what answers instead was not a champion before")
    if old is None:
        return
    if state.halt is not None:
        _must(state.halt.revision >= old.revision, "the halt is shown as one of an earlier revision")
        return
    _resumed(case, "resumed-serving", "serving", old.revision, "serving was halted, and nobody resumed it")


def _resumed(case: Case, of: Standing, target: str, since: int, sentence: str) -> None:
    """Check that a person ended what stood at a revision, by a command that knew of it."""
    found = _found(case, of, None, "resume")
    if found is None or found.command.target != target or found.expected < since:
        raise WarrantError(sentence)
    _fresh(case, found)


def _change(case: Case) -> None:
    """Check that what is to be loaded was asked for."""
    grant = _one(case, "change", None, "create", "shadow", "canary", "promote", "rollback")
    wanted = {grant.command.model}
    _must(set(case.state.prepares) <= wanted, "a state prepares what its command does not name")
    _must(case.state.change == grant.digest, "a state prepares another change than the one that is shown")
    _fresh(case, grant)
    if grant.command.op == "rollback":
        _one(case, "earlier", grant.command.model, *CHAMPIONS)


def _one(case: Case, of: Standing, model: ModelRef | None, *ops: str) -> Warrant:
    """The grant of something that stands; WarrantError when there is none."""
    found = _found(case, of, model, *ops)
    if found is None:
        what = "" if model is None else f" of version {model.version}"
        raise WarrantError(f"no {' or '.join(ops)}{what} is shown for the {of}")
    return found


def _found(case: Case, of: Standing, model: ModelRef | None, *ops: str) -> Warrant | None:
    """The grant of something that stands, if the state carries it for this model; WarrantError when it is false."""
    stands = (one for one in case.state.basis if one.of == of and names(one, model, ops))
    grant = next(stands, None)
    return None if grant is None else _granted(case, grant)


def _granted(case: Case, grant: Grant) -> Warrant:
    stood = (grant.command, grant.approvals) in case.stood
    tier = judged_by(case.state, grant, asked(grant.command), None if stood else case.marks)
    found = warranted(grant, case.history, tier, stood=stood)
    _must(
        found.command.deployment == case.state.deployment,
        f"a command for {found.command.deployment} is shown for {case.state.deployment}",
    )
    _must(
        not found.is_over(case.ended),
        f"a {found.command.op} is shown that was denied, refused or lapsed, or an approval of it that was refused",
    )
    _must(found.expected < case.state.revision, "a command expects a later revision than the state's")
    return found


def _must(holds: bool, sentence: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not holds:
        raise WarrantError(sentence)
