"""Withdrawn: what a state stands by, or would stand by, that counts no more, for a key was revoked since; pure."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from driftline.agents.control.deeds import staged
from driftline.agents.control.grants import UNREADABLE, asked, believed_grants, shadows_of
from driftline.agents.control.lifecycle import At, cancel
from driftline.agents.control.stops import without_rollout
from driftline.agents.control.tiers import judged_by
from driftline.agents.control.warrant import WarrantError, warranted
from driftline.schemas.control.envelope import Envelope

if TYPE_CHECKING:
    from driftline.agents.control.history import History
    from driftline.schemas.control.serving_state import Grant, ServingState


def withdrawn(before: ServingState | None, after: ServingState, history: History) -> str | None:
    """Say why no agent would believe a state; None when nothing that it newly loads leans on a revoked key.

    What is loaded already counts as it did: agents believed it when they came to serve it.

    Args:
        before: the state before it; None for the first one.
        after: the state that is looked at, in which nothing is being prepared.
        history: of trust, as it is now.
    """
    if not history.now.ring.state.revocations:
        return None
    try:
        new = believed_grants(after) - (frozenset() if before is None else believed_grants(before))
        grants = (one for one in after.basis if (one.command, one.approvals) in new)
        faults = (_fault(after, grant, history) for grant in grants)
        return next((one for one in faults if one is not None), None)
    except UNREADABLE as error:
        return f"what it stands by cannot be read: {error}"


def without_withdrawn(state: ServingState, history: History, at: At) -> tuple[ServingState, str] | None:
    """The next revision, without the shadows and the canary that lean on a revoked key, and why; None without any.

    Who did not believe them before the key was revoked, as an instance that starts, believes no state that has them.
    """
    if state.phase == "prepare" or not history.now.ring.state.revocations:
        return None
    try:
        return _without(state, history, at)
    except UNREADABLE:
        # What whoever stole the controller's keys told of: agents believe none of it, and people halt or retire it.
        return None


def _without(state: ServingState, history: History, at: At) -> tuple[ServingState, str] | None:
    standing_now = {("shadow", one) for one in state.shadows}
    if state.rollout is not None:
        standing_now.add(("rollout", state.rollout.model))
    faults = {
        what: fault
        for grant in state.basis
        if (what := (grant.of, asked(grant.command).model)) in standing_now
        and (fault := _fault(state, grant, history)) is not None
    }
    if not faults:
        return None
    made = cancel(state, at)
    kept = tuple(one for one in state.shadows if ("shadow", one) not in faults)
    for model in set(state.shadows) - set(kept):
        made = staged(made, model, "validated")
    if state.rollout is not None and ("rollout", state.rollout.model) in faults:
        # It did nothing wrong: who counts may ask for it again.
        made = staged(without_rollout(made), state.rollout.model, "validated")
    made = msgspec.structs.replace(made, shadows=kept, basis=shadows_of(made.basis, kept))
    return made, f"no shadow and no canary stands by it any more: {next(iter(faults.values()))}"


def _fault(state: ServingState, grant: Grant, history: History) -> str | None:
    """Why a grant warrants nothing any more, for a key under it was revoked; None when none was, or enough are left."""
    gone = {one.key for one in history.now.ring.state.revocations}
    if not any(gone & _signers(text) for text in (grant.command, *grant.approvals)):
        return None
    said = asked(grant.command)
    try:
        warranted(grant, history, judged_by(state, grant, said))
    except WarrantError as error:
        what = "" if said.model is None else f" of version {said.model.version}"
        return f"a key under the {said.op}{what} was revoked: {error}"
    return None


@lru_cache(maxsize=4_096)
def _signers(text: str) -> frozenset[str]:
    return frozenset(one.keyid for one in Envelope.from_bytes(text.encode()).signatures)
