"""Phases: when what is prepared becomes so, when it is cancelled, and whether all instances came along; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.agents.control.controller.answers import APPLIED, DEGRADED, Round
from driftline.agents.control.deeds import refuse
from driftline.agents.control.grants import UNREADABLE, plan_of
from driftline.agents.control.lifecycle import At, activate, cancel
from driftline.agents.control.verdicts import Refusal, one_line
from driftline.agents.control.withdrawn import withdrawn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.agents.control.controller.members import Member
    from driftline.agents.control.history import History
    from driftline.schemas.control.serving_state import ServingState

DEGRADED_MS = 120_000
"""After which a revision that not all live instances serve is called degraded, ms."""
MOST_NAMES = 10
UNSERVED = "no instance has served this deployment yet"


def next_phase(
    state: ServingState,
    round_: Round | None,
    members: Mapping[str, Member],
    history: History,
    at: At,
    *,
    is_served: bool = False,
) -> tuple[ServingState, str] | None:
    """The revision that ends a preparation, and why; None while it goes on, or when nothing is prepared.

    Args:
        state: the newest revision.
        round_: what instances said to it.
        members: live instances of the deployment.
        history: of trust: a change whose keys were revoked since it was decided is cancelled, for no agent would
            believe the state that it leads to, nor a halt after it.
        at: when.
        is_served: whether instances ever served the deployment: one of them is waited for when none is live. Of one
            that none ever did, whose models answer elsewhere, a change is so at once.
    """
    if state.phase != "prepare":
        return None
    made = _made(state, history, at)
    if isinstance(made, Refusal):
        return _cancelled(state, at, made.sentence)
    round_ = round_ or Round(state.revision, state.decided_at_ms)
    failures = round_.failures(members)
    if failures:
        return _cancelled(state, at, f"not all could prepare: {_some(failures)}")
    lacking = round_.lacking(members, "prepared")
    if not members and is_served:
        lacking = ["any instance, of which none is live"]
    if not lacking:
        return made, f"prepared by all {len(members)} live instances" if members else UNSERVED
    prepare_s = plan_of(state, "change").prepare_s
    if at.ms - state.decided_at_ms > prepare_s * 1000:
        return _cancelled(state, at, f"not prepared in {prepare_s:g} s: {_some(lacking)}")
    return None


def convergence(
    state: ServingState, round_: Round | None, members: Mapping[str, Member], now_ms: int
) -> tuple[str, tuple[str, ...]] | None:
    """What is to be told of how far a revision has come; None for nothing new."""
    if round_ is None or state.phase == "prepare" or not members or round_.told == APPLIED:
        return None
    lacking = round_.lacking(members, "activated")
    if not lacking:
        return APPLIED, (f"by all {len(members)} live instances",)
    if round_.told == DEGRADED or not (round_.failures(members) or now_ms - round_.since_ms > DEGRADED_MS):
        return None
    return DEGRADED, (f"{len(members) - len(lacking)}/{len(members)}, without {_some(lacking)}",)


def progress(state: ServingState, round_: Round | None, members: Mapping[str, Member]) -> str:
    """How far the newest revision has come, in words: applied, converging n/m, degraded with names, preparing n/m."""
    if round_ is None or not members:
        return "preparing" if state.phase == "prepare" else "no instance is live"
    outcome = "prepared" if state.phase == "prepare" else "activated"
    lacking = round_.lacking(members, outcome)
    come = f"{len(members) - len(lacking)}/{len(members)}"
    if state.phase == "prepare":
        return f"preparing {come}"
    if not lacking:
        return APPLIED
    return f"degraded {come}, without {_some(lacking)}" if round_.told == DEGRADED else f"converging {come}"


def _made(state: ServingState, history: History, at: At) -> ServingState | Refusal:
    """The state that a preparation leads to, if agents would believe it."""
    try:
        made = activate(state, at)
    except (ValueError, *UNREADABLE) as error:
        # What whoever stole the controller's keys told of.
        return refuse(f"what it prepares cannot be read: {error}")
    wrong = None if isinstance(made, Refusal) else withdrawn(state, made, history)
    return made if wrong is None else refuse(wrong)


def _cancelled(state: ServingState, at: At, why: str) -> tuple[ServingState, str]:
    return cancel(state, at), one_line(f"revision {state.revision} is cancelled: {why}")


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
