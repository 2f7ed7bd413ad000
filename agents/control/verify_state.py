"""Verify: what an agent checks for itself before it believes a state; a controller's signature alone is not enough.

Everything that answers callers rests on a grant: a command and approvals, signed by persons, that the state carries. A
grant is judged by the trust and the policy that held when its last envelope was signed, so that a state stays true when
people leave; what a key signed that is revoked by now counts nothing, but for what was believed before and still
serves: else nobody could halt that, or go back from it. Without a person's command the controller moves
only along a signed plan: on to the next weight, back to no canary, back to the previous champion, to a halt. Whoever
has stolen its key, or writes the topic without it, moves no further; and marks keep old grants from being shown again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from driftline.agents.control.case import Case
from driftline.agents.control.errors import SignatureError
from driftline.agents.control.grants import UNREADABLE, asked, believed_grants
from driftline.agents.control.marks import Marks
from driftline.agents.control.signing import verified
from driftline.agents.control.standing import checked
from driftline.agents.control.warrant import WarrantError
from driftline.schemas.control.command import AHEAD_MS
from driftline.schemas.control.envelope import STATE, STATE_MAX_BYTES, Envelope, EnvelopeError
from driftline.schemas.control.reading import decoded
from driftline.schemas.control.serving_state import ServingState

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from driftline.agents.control.history import History
    from driftline.schemas.control.serving_state import Grant, Tier


class StateError(ValueError):
    """A state that is not believed; the message is one sentence."""


class Believed(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent believes, and stores: the newest state and the marks."""

    state: ServingState
    marks: Marks

    def to_bytes(self) -> bytes:
        """Give JSON with its fields in the order of their names."""
        return msgspec.json.encode(self, order="sorted")

    @classmethod
    def from_bytes(cls, data: bytes) -> Believed:
        """Read what `to_bytes` gave; raises msgspec.MsgspecError."""
        return decoded(data, cls)


def verify_state(
    data: bytes,
    deployment: str,
    before: Believed | None,
    history: History,
    now_ms: int,
    tiers: Mapping[str, Tier],
    ended: Collection[str],
) -> Believed:
    """Check the envelope of a state, whole.

    Args:
        data: as it lies in `deployment-state`.
        deployment: which one it was found under.
        before: what was believed before; None on a first start.
        history: of trust and policy, as the audit tells it to the agent.
        now_ms: by the agent's clock, ms since 1970.
        tiers: of manifests that the agent holds and verified, by their digests.
        ended: digests of commands and approvals that were denied, refused or lapsed, as the agent hears.

    Returns:
        What to believe and store from now on.

    Raises:
        StateError: it is not believed; the sentence says why, for the ack.
    """
    state = signed_state(data, deployment, history)
    if state.decided_at_ms > now_ms + AHEAD_MS:
        raise StateError(f"the state was decided {state.decided_at_ms - now_ms:,} ms after now")
    if state.stopped_at > state.revision:
        raise StateError(
            f"a halt or a pause is shown as one of revision {state.stopped_at}, which is yet to come"
        )
    for grant in state.basis:
        _read(grant)
    old = None if before is None else before.state
    if old is not None and state.revision <= old.revision:
        raise StateError(
            f"revision {state.revision} is not above {old.revision}, the highest that was believed"
        )
    marks, stood = (Marks(), ()) if before is None else (before.marks, believed_grants(before.state))
    case = Case(state, old, marks, history, tiers, ended, stood, now_ms)
    try:
        return Believed(state=state, marks=checked(case))
    except WarrantError as error:
        raise StateError(str(error)) from error


def _read(grant: Grant) -> None:
    """Refuse a grant that cannot be read, though nobody looks at it while it changes nothing; raises StateError."""
    try:
        asked(grant.command)
    except UNREADABLE as error:
        raise StateError(f"a grant of it ({grant.of}) holds no command: {error}") from error


def signed_state(data: bytes, deployment: str, history: History) -> ServingState:
    """Read the envelope of a state that a controller signed whose key counts now, and check nothing else.

    Raises:
        StateError: none did, or it is another deployment's.
    """
    try:
        envelope = Envelope.from_bytes(data, STATE_MAX_BYTES)
        if envelope.payload_type != STATE:
            raise StateError("the envelope holds no state")
        if not verified(envelope, history.now.ring.controllers):
            raise StateError("no key of a controller that counts signed the state")
        state = ServingState.from_bytes(envelope.body)
    except (EnvelopeError, SignatureError, msgspec.MsgspecError) as error:
        raise StateError(str(error)) from error
    if state.deployment != deployment:
        raise StateError(f"the state is that of {state.deployment}, not of {deployment}")
    return state
