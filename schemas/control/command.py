"""Command: what people ask for, as the payload of a signed envelope on topic `deployment-control`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from driftline.schemas.control.envelope import Digest, KeyId
from driftline.schemas.control.reading import decoded, without_twins

Op: TypeAlias = Literal[
    "register",
    "validate",
    "create",
    "shadow",
    "canary",
    "promote",
    "rollback",
    "halt-rollout",
    "halt-serving",
    "resume",
    "retire",
    "configure",
    "approve",
    "deny",
    "trust-set",
    "key-revoke",
    "policy-set",
    "forget",
    "log-reset",
    "acknowledge",
]
OPS: Final[tuple[Op, ...]] = Op.__args__  # type: ignore[attr-defined]  # the names of the Literal above

RejectCode: TypeAlias = Literal[
    "malformed",
    "too_large",
    "bad_signature",
    "unknown_key",
    "wrong_audience",
    "forbidden",
    "policy_error",
    "approvals_missing",
    "expired",
    "replayed",
    "revision_conflict",
    "precondition_failed",
]
REJECT_CODES: Final[tuple[RejectCode, ...]] = RejectCode.__args__  # type: ignore[attr-defined]  # as above

LONGEST_MS: Final = 15 * 60 * 1000
"""Most that may lie between `issued_at_ms` and `expires_at_ms`, and between a record and its first decision."""
AHEAD_MS: Final = 60 * 1000
"""How far clocks may be apart: most that a signed time may lie after the time at which it is looked at, ms."""

_NAME: Final = r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z"
Name = Annotated[str, msgspec.Meta(pattern=_NAME)]
Uuid = Annotated[
    str, msgspec.Meta(pattern=r"\A[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
]
Text = Annotated[str, msgspec.Meta(max_length=2_000)]
Weight = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
"""A share of callers, in hundredths of a per cent: 10,000 is all of them."""


class ModelRef(msgspec.Struct, frozen=True, kw_only=True):
    """One package: name and version for people, the digest of its manifest's payload for machines."""

    name: Name
    version: Name
    manifest: Digest


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a rollout.

    Attributes:
        weight: share of callers that go to the canary.
        bake_s: shortest time that the step lasts, s.
        min_rows: predictions of the canary below which the step does not pass.
    """

    weight: Weight
    bake_s: Annotated[float, msgspec.Meta(ge=0, le=30 * 86_400)] = 0.0
    min_rows: Annotated[int, msgspec.Meta(ge=0)] = 0


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a change is carried out; signed with the command.

    Attributes:
        steps: of a canary, in order, weights growing.
        max_wait_s: after which a step that cannot be judged takes the weight back to 0, s.
        bake_s: how long the previous champion stays loaded after a promotion, s.
        prepare_s: how long instances may take to prepare, s.
        cold_rollback: whether a rollback may have to load the previous model again, where memory forbids to keep it.
        automatic_rollback: whether windows that are worse take it back by themselves.
    """

    steps: tuple[Step, ...] = ()
    max_wait_s: Annotated[float, msgspec.Meta(gt=0, le=90 * 86_400)] = 3 * 86_400.0
    bake_s: Annotated[float, msgspec.Meta(ge=0, le=30 * 86_400)] = 3_600.0
    prepare_s: Annotated[float, msgspec.Meta(gt=0, le=3_600)] = 120.0
    cold_rollback: bool = False
    automatic_rollback: bool = True


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One command.

    Attributes:
        command_id: a UUIDv7; the same one twice is `replayed`.
        op: what is asked.
        audience: the installation it is meant for.
        issued_at_ms, expires_at_ms: by the clock of whoever signed, ms since 1970.
        nonce: 16 random bytes in hex, so that no two payloads are alike.
        reason: why, for the history.
        deployment: which one; empty for ops of the installation (trust-set, key-revoke, policy-set, log-reset).
        model: which package (register, validate, create, shadow, canary, promote, retire); rollback: the one that
            answers all callers afterwards; halt-serving: the one that answers instead, or none.
        expected_revision: of the deployment's state, or of the trust's version; another one is `revision_conflict`.
            None for ops without state, and for halts, which hold whatever it is.
        ticket: of the change in another system.
        plan: of create, shadow, canary, promote, rollback.
        break_glass: whether approvals and bake time are lifted, to be reviewed within 72 h.
        target: approve, deny: digest of the command's payload; resume: `serving` or `rollout`; forget: prediction id;
            acknowledge: key of the alert; log-reset: id of the new topic; configure: event time from which the settings
            hold, ms since 1970, empty for now.
        key: key-revoke: which.
        compromised_since_ms: key-revoke: from when it is not to be trusted.
        settings: configure: what `driftline deployment apply` reads, as a table.
        trust: trust-set: the new trust.
        policy: policy-set: the text.
        evidence: validate: digest of what was looked at.
        manifest: register: the signed manifest's envelope, in base64.
        profile: register: digest of the reference profile.
    """

    command_id: Uuid
    op: Op
    audience: Uuid
    issued_at_ms: int
    expires_at_ms: int
    nonce: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]
    reason: Text
    deployment: Name | Literal[""] = ""
    model: ModelRef | None = None
    expected_revision: Annotated[int, msgspec.Meta(ge=0)] | None = None
    ticket: Text = ""
    plan: Plan | None = None
    break_glass: bool = False
    target: Text = ""
    key: KeyId | None = None
    compromised_since_ms: int | None = None
    settings: dict[str, Any] | None = None
    trust: dict[str, Any] | None = None
    policy: str | None = None
    evidence: Digest | None = None
    manifest: str | None = None
    profile: Digest | None = None

    def to_bytes(self) -> bytes:
        """Give the payload: JSON with its fields in the order of their names."""
        return msgspec.json.encode(self, order="sorted")

    @classmethod
    def from_bytes(cls, payload: bytes) -> Command:
        """Read a payload.

        Raises:
            msgspec.MsgspecError: it is no command, or has a field twice; the message names the field.
        """
        return decoded(without_twins(payload), cls)


def is_name(text: str) -> bool:
    """Whether a deployment or a model may be called so."""
    return re.match(_NAME, text) is not None
