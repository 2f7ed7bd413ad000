"""ServingState: what serves in a deployment, as the payload that the controller signs into `deployment-state`."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from driftline.schemas.control.command import ModelRef, Name, Plan, Uuid, Weight
from driftline.schemas.control.envelope import Digest

Tier: TypeAlias = Literal["low", "medium", "high"]
Stage: TypeAlias = Literal[
    "registered", "validated", "shadow", "canary", "champion", "rolled_back", "retired"
]
Phase: TypeAlias = Literal["steady", "prepare", "activate"]


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One model version that the deployment knows.

    Attributes:
        model: its package.
        stage: how far it has come.
        profile: digest of its reference profile.
        registered_by, validated_by: ids of persons; they differ.
        evidence: digest of what the validation rests on.
    """

    model: ModelRef
    stage: Stage
    profile: Digest
    registered_by: str
    validated_by: str = ""
    evidence: Digest | None = None


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """A canary on its way.

    Attributes:
        rollout_id: salt of the callers' hash: a caller stays where it is while the weight grows.
        model: the canary.
        weight: share of callers now.
        step: index into the plan's steps.
        step_since_ms: when the step began, ms since 1970.
        plan: as it was signed.
        paused: whether weights are frozen.
    """

    rollout_id: Uuid
    model: ModelRef
    weight: Weight
    step: int
    step_since_ms: int
    plan: Plan
    paused: bool = False


class Halt(msgspec.Struct, frozen=True, kw_only=True):
    """Serving is stopped: 503 with the reason, or `instead` answers."""

    reason: str
    by: str
    instead: ModelRef | None = None


class ServingState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of one deployment.

    Attributes:
        deployment: its name.
        revision: only grows, by one a change.
        audit_seq: of the record that this revision is told by.
        decided_at_ms: ms since 1970.
        tier: of risk; decides approvals, `max_stale_s` and how long evidence is kept.
        phase: `prepare` while instances load what `activate` will make serve; `steady` when all have acked.
        champion: what answers; None before `create`.
        previous: what answered before, and a rollback goes back to.
        shadows: what is asked too, and not heard.
        rollout: a canary, if any.
        halt: why nothing is served, if so.
        is_retired: nothing is served any more, for good.
        versions: all that are known, by version.
        max_stale_s: how long an agent serves on without news, s.
        bake_until_ms: until when the previous champion stays loaded.
        basis: the envelopes (JSON text) that this revision rests on: the command, then its approvals.
    """

    deployment: Name
    revision: Annotated[int, msgspec.Meta(ge=1)]
    audit_seq: Annotated[int, msgspec.Meta(ge=0)]
    decided_at_ms: int
    tier: Tier
    phase: Phase = "steady"
    champion: ModelRef | None = None
    previous: ModelRef | None = None
    shadows: tuple[ModelRef, ...] = ()
    rollout: Rollout | None = None
    halt: Halt | None = None
    is_retired: bool = False
    versions: tuple[Version, ...] = ()
    max_stale_s: float = 86_400.0
    bake_until_ms: int = 0
    basis: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """Give the payload: JSON with its fields in the order of their names."""
        return msgspec.json.encode(self, order="sorted")

    @classmethod
    def from_bytes(cls, payload: bytes) -> ServingState:
        """Read a payload.

        Raises:
            msgspec.MsgspecError: it is no such state; the message names the field.
        """
        return msgspec.json.decode(payload, type=cls)
