"""ServingState: what serves in a deployment, as the payload that the controller signs into `deployment-state`."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from driftline.schemas.control.command import ModelRef, Name, Plan, Uuid, Weight
from driftline.schemas.control.envelope import Digest
from driftline.schemas.control.reading import decoded

Tier: TypeAlias = Literal["low", "medium", "high"]
TIERS: Final[tuple[Tier, ...]] = ("low", "medium", "high")
"""From the least to the greatest risk."""
Stage: TypeAlias = Literal[
    "registered", "validated", "shadow", "canary", "champion", "rolled_back", "retired"
]
Phase: TypeAlias = Literal["prepare", "activate"]
Standing: TypeAlias = Literal[
    "change",
    "champion",
    "earlier",
    "fallen",
    "rollback",
    "rollout",
    "pause",
    "shadow",
    "halt",
    "resumed-serving",
    "resumed-rollout",
    "retired",
]


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One model version that the deployment knows.

    Attributes:
        model: its package.
        stage: how far it has come.
        tier: of risk, as its manifest says.
        profile: digest of its reference profile.
        registered_by, validated_by: ids of persons; they differ.
        evidence: digest of what the validation rests on.
    """

    model: ModelRef
    stage: Stage
    tier: Tier
    profile: Digest
    registered_by: str
    validated_by: str = ""
    evidence: Digest | None = None


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """A canary on its way.

    Attributes:
        rollout_id: id of the command that began it, and salt of the callers' hash: a caller stays where it is while the
            weight grows.
        model: the canary.
        weight: share of callers now.
        step: index into the plan's steps.
        step_since_ms: when the step began, ms since 1970.
        plan: as it was signed.
        passed: whether the last step was passed too, so that the canary may be promoted.
        paused: whether weights are frozen.
        paused_revision: the revision that froze them last; a resumption must know it.
    """

    rollout_id: Uuid
    model: ModelRef
    weight: Weight
    step: int
    step_since_ms: int
    plan: Plan
    passed: bool = False
    paused: bool = False
    paused_revision: int = 0


class Halt(msgspec.Struct, frozen=True, kw_only=True):
    """Serving is stopped: 503 with the reason, or `instead` answers.

    Attributes:
        reason: for callers and people.
        by: id of a person, or `controller`.
        revision: the one that halted; a resumption must know it.
        instead: what answers.
    """

    reason: str
    by: str
    revision: int
    instead: ModelRef | None = None


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """Why something stands: the command that asked for it and the approvals that it had, as JSON texts of envelopes.

    Attributes:
        of: what stands by it. Of `champion`, and of the `earlier` ones that a rollback may go back to, it is what
            made them champion; `rollback` is what went back last, `fallen` is what made each of the
            last champions that windows went back from.
        command: its envelope.
        approvals: envelopes of `approve` commands, one a person.
        tier: by which it was decided; that of the deployment may have grown since. Older states do not say it.
    """

    of: Standing
    command: str
    approvals: tuple[str, ...] = ()
    tier: Tier | msgspec.UnsetType = msgspec.UNSET


class ServingState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of one deployment.

    All but `prepares` and `change` says what is so now: in phase `prepare` instances serve as before, and load.

    Attributes:
        deployment: its name.
        revision: only grows, by one a record.
        audit_seq: of the record that this revision is told by.
        decided_at_ms: ms since 1970.
        tier: of risk; decides approvals, `max_stale_s` and how long evidence is kept.
        phase: `prepare` while instances load what the next revision will make serve.
        prepares: what they load.
        change: digest of the command that is being prepared.
        champion: what answers; None before `create`.
        previous: what answered before, stays loaded, and is what a rollback goes back to.
        shadows: what is asked too, and not heard.
        rollout: a canary, if any.
        halt: why nothing is served, if so.
        is_retired: nothing is served any more, for good.
        versions: all that are known, in the order in which they were registered.
        max_stale_s: how long an agent serves on without news, s.
        bake_until_ms: until when the previous champion stays loaded.
        basis: what all that serves rests on, so that a reader who knows nothing else can check it.
    """

    deployment: Name
    revision: Annotated[int, msgspec.Meta(ge=1)]
    audit_seq: Annotated[int, msgspec.Meta(ge=0)]
    decided_at_ms: int
    tier: Tier
    phase: Phase = "activate"
    prepares: tuple[ModelRef, ...] = ()
    change: Digest | None = None
    champion: ModelRef | None = None
    previous: ModelRef | None = None
    shadows: tuple[ModelRef, ...] = ()
    rollout: Rollout | None = None
    halt: Halt | None = None
    is_retired: bool = False
    versions: tuple[Version, ...] = ()
    max_stale_s: float = 86_400.0
    bake_until_ms: int = 0
    basis: tuple[Grant, ...] = ()

    def version(self, model: ModelRef) -> Version | None:
        """What is known of a package; None when nothing is."""
        return next((one for one in self.versions if one.model == model), None)

    @property
    def loaded(self) -> frozenset[ModelRef]:
        """What instances hold in memory for it."""
        held = [self.champion, self.previous, *self.shadows]
        held.append(self.rollout.model if self.rollout is not None else None)
        held.append(self.halt.instead if self.halt is not None else None)
        return frozenset(one for one in held if one is not None)

    @property
    def stopped_at(self) -> int:
        """The latest revision at which a halt or a pause of it is said to have come; 0 when there was none."""
        paused = 0 if self.rollout is None else self.rollout.paused_revision
        return max(paused, 0 if self.halt is None else self.halt.revision)

    def to_bytes(self) -> bytes:
        """Give the payload: JSON with its fields in the order of their names."""
        return msgspec.json.encode(self, order="sorted")

    @classmethod
    def from_bytes(cls, payload: bytes) -> ServingState:
        """Read a payload.

        Raises:
            msgspec.MsgspecError: it is no such state; the message names the field.
        """
        return decoded(payload, cls)


def strictest(*tiers: Tier) -> Tier:
    """The tier of the greatest risk among some; of none, the greatest there is.

    >>> strictest("low", "high", "medium"), strictest()
    ('high', 'high')
    """
    return max(tiers, key=TIERS.index, default="high")
