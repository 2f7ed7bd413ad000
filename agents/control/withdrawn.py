"""Withdrawn: what a state would newly stand by that counts no more, for a key was revoked since; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.agents.control.grants import asked, standing
from driftline.agents.control.warrant import WarrantError, warranted
from driftline.schemas.control.envelope import Envelope
from driftline.schemas.control.serving_state import Grant, strictest

if TYPE_CHECKING:
    from driftline.agents.control.history import History
    from driftline.schemas.control.serving_state import ServingState


def withdrawn(before: ServingState | None, after: ServingState, history: History) -> str | None:
    """Say why no agent would believe a state; None when nothing that it newly loads leans on a revoked key.

    What is loaded already counts as it did: agents believed it when they came to serve it.

    Args:
        before: the state before it; None for the first one.
        after: the state that is looked at, in which nothing is being prepared.
        history: of trust, as it is now.
    """
    gone = {one.key for one in history.now.ring.state.revocations}
    if not gone:
        return None
    stood = frozenset() if before is None else standing(before)
    for command, approvals in sorted(standing(after) - stood):
        if not any(gone & _signers(text) for text in (command, *approvals)):
            continue
        said = asked(command)
        version = None if said.model is None else after.version(said.model)
        tier = strictest(after.tier, *(() if version is None else (version.tier,)))
        try:
            warranted(Grant(of="change", command=command, approvals=approvals), history, tier)
        except WarrantError as error:
            what = "" if said.model is None else f" of version {said.model.version}"
            return f"a key under the {said.op}{what} was revoked: {error}"
    return None


def _signers(text: str) -> set[str]:
    return {one.keyid for one in Envelope.from_bytes(text.encode()).signatures}
