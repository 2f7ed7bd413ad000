"""Told: which states the audit tells of. A state of which it tells nothing was never decided, whoever signed it.

A controller writes a state and the record that tells of it in one transaction. So whoever has stolen its key, and may
not write `audit` too, shows nothing that is believed; and of all that was ever signed, the audit says what is newest.
"""

from __future__ import annotations

import hashlib
from collections import deque
from typing import Final, NamedTuple

import msgspec

from driftline.agents.audit.errors import AuditError
from driftline.schemas.control.envelope import STATE_MAX_BYTES, Envelope, EnvelopeError
from driftline.schemas.control.serving_state import ServingState

MOST: Final = 32
"""States of one deployment that are known at a time, the newest ones; an older one counts as untold."""
_MARK: Final = b'"state_after"'


class _Stated(msgspec.Struct):
    seq: int = -1
    deployment: str = ""
    state_after: str | None = None
    revision_after: int = 0


class _One(NamedTuple):
    digest: str
    revision: int
    seq: int


_STATED: Final = msgspec.json.Decoder(_Stated)


class Told:
    """The digests of states, by deployment, as the audit tells of them.

    A state names the record that tells of it: an old one, of which somebody who may write `audit` tells again, is told
    by another, and counts as untold.
    """

    def __init__(self) -> None:
        self._of: dict[str, deque[_One]] = {}

    def take(self, data: bytes) -> None:
        """Take in a record of the audit that was found to follow the one before it; raises AuditError for rubbish."""
        if _MARK not in data:
            return
        try:
            found = _STATED.decode(data)
        except msgspec.MsgspecError as error:
            raise AuditError(f"a record of the audit tells of no state: {error}") from error
        if found.state_after is None:
            return
        held = self._of.setdefault(found.deployment, deque(maxlen=MOST))
        if all(one.digest != found.state_after for one in held):
            held.append(_One(found.state_after, found.revision_after, found.seq))

    def fault(self, deployment: str, data: bytes, *, is_past: bool = False) -> str | None:
        """Why the audit does not tell of the state in an envelope as the newest; None when it does.

        Args:
            deployment: whose state.
            data: the envelope.
            is_past: whether one that was the newest once will do.
        """
        held = self._of.get(deployment) or deque[_One]()
        digest, state = digest_of(data), said(data)
        found = next((one for one in held if one.digest == digest), None)
        if found is None:
            is_older = len(held) == MOST and state is not None and state.revision < held[0].revision
            return None if is_past and is_older else "is none that the audit tells of"
        if state is None or state.audit_seq != found.seq:
            return f"is told of again by record {found.seq:,}, and is that of another record"
        return None if is_past or found is held[-1] else "is older than the one the audit tells of"

    def newest(self, deployment: str) -> str:
        """The digest of the newest state of a deployment; empty when the audit tells of none."""
        held = self._of.get(deployment)
        return held[-1].digest if held else ""

    def is_newest(self, deployment: str, data: bytes) -> bool:
        """Whether the audit tells of none after it."""
        return self.fault(deployment, data) is None


def said(data: bytes) -> ServingState | None:
    """The state in an envelope, unbelieved; None when there is none."""
    try:
        return ServingState.from_bytes(Envelope.from_bytes(data, STATE_MAX_BYTES).body)
    except (EnvelopeError, msgspec.MsgspecError):
        return None


def digest_of(data: bytes) -> str:
    """The digest of what an envelope carries, as the audit names states; empty when it is no envelope."""
    try:
        return hashlib.sha256(Envelope.from_bytes(data, STATE_MAX_BYTES).body).hexdigest()
    except EnvelopeError:
        return ""
