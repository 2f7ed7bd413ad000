"""What serving agents say on topic `acks`, signed with the agent's key: how a revision went, and that they live."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from driftline.schemas.control.command import Name, Uuid
from driftline.schemas.control.envelope import Digest
from driftline.schemas.control.reading import decoded

Outcome: TypeAlias = Literal["prepared", "activated", "failed", "refused"]
Reason = Annotated[str, msgspec.Meta(max_length=500)]


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """One instance's answer to one revision.

    Attributes:
        installation: whose.
        deployment, revision: of what.
        instance: stable name of the agent process; boot_id: new at each start.
        outcome: `refused` for a state that the agent does not believe.
        reason: one sentence for `failed` and `refused`.
        at_ms: by the agent's clock.
        seconds: what it took.
        state: digest of the state that was refused, if a controller signed it: a forged one refuses none that is so.
    """

    installation: Uuid
    deployment: Name
    revision: int
    instance: Name
    boot_id: Uuid
    outcome: Outcome
    at_ms: int
    reason: Reason = ""
    seconds: float = 0.0
    state: Digest | None = None

    def to_bytes(self) -> bytes:
        """Give the payload: JSON with its fields in the order of their names."""
        return msgspec.json.encode(self, order="sorted")

    @classmethod
    def from_bytes(cls, payload: bytes) -> Ack:
        """Read a payload; raises msgspec.MsgspecError when it is no ack."""
        return decoded(payload, cls)


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """An instance lives; silent for 30 s, it is none of those whose ack is waited for.

    Attributes:
        revisions: of each deployment that it serves or waits for, the revision that is active; 0 for none yet.
        free_bytes: memory that a package may still take.
        is_draining: it answers what it has, takes nothing new, and leaves the set.
    """

    installation: Uuid
    instance: Name
    boot_id: Uuid
    at_ms: int
    revisions: dict[str, int]
    free_bytes: int
    is_draining: bool = False

    def to_bytes(self) -> bytes:
        """Give the payload: JSON with its fields in the order of their names."""
        return msgspec.json.encode(self, order="sorted")

    @classmethod
    def from_bytes(cls, payload: bytes) -> Heartbeat:
        """Read a payload; raises msgspec.MsgspecError when it is no heartbeat."""
        return decoded(payload, cls)


LIVE_MS = 30_000
"""How long a heartbeat says that an instance lives, ms."""
