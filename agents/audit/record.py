"""AuditRecord: what was asked, decided or seen, as one line of JSON whose bytes are a leaf of the tree.

The bytes as they lie in Kafka are what is hashed; nothing is ever encoded again to be checked.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

from driftline.agents.audit.errors import AuditError
from driftline.schemas.control.command import ModelRef, Op, RejectCode
from driftline.schemas.control.envelope import Digest
from driftline.schemas.control.trust import Trust

TOPIC: Final = "audit"
SCHEMA: Final = "driftline.audit.v1"
MAX_RECORD_BYTES: Final = 1_000_000
"""Of one record; the topic takes a little more."""
GENESIS: Final = "genesis"
EFFECTIVE: Final = "effective"
"""The event of a command that took effect: `envelope` and `approvals` are what it rests on."""
NO_HASH: Final = "0" * 64
"""`prev_hash` of record 0."""

Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Event = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,49}$")]
Sentence = Annotated[str, msgspec.Meta(max_length=2_000)]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where in Kafka the record has its cause."""

    topic: str
    topic_id: str
    partition: Count
    offset: Count


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """Messages without a signature by a known key, or before a log-reset: never verbatim.

    Attributes:
        count: how many.
        first_offset, last_offset: where they lay.
        size_bytes: of all.
        digest: sha256 of the one message; of several, the root of the tree (RFC 6962) whose leaves they are.
    """

    count: Annotated[int, msgspec.Meta(ge=1)]
    first_offset: Count
    last_offset: Count
    size_bytes: Count
    digest: Digest


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at before the decision."""

    name: str
    passed: bool
    detail: Sentence = ""


class Genesis(msgspec.Struct, frozen=True, kw_only=True):
    """What record 0 lays down: the installation, the name of the log, and every key that is believed from here on.

    Attributes:
        trust: who holds which key.
        policy: its text.
    """

    trust: Trust
    policy: str


class AuditRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="schema", tag=SCHEMA
):
    """One record. Fields that are empty are left out of the JSON; `schema`, the version of this form, comes first.

    Attributes:
        seq: the record's number, from 0 on without a gap.
        prev_hash: sha256 of the bytes of the record before.
        event: what happened; `genesis` and `effective` mean something to a verifier.
        decided_at_ms: when it was decided or seen, ms since 1970.
        op: of the command.
        command: digest of the command's payload.
        envelope: the signed envelope: its payload verbatim, with the signatures that held when it came.
        approvals: envelopes of approvals and denials, as above.
        actor: id of the person who signed the command.
        approvers: ids of the persons who approved.
        deployment: which one.
        model: which package.
        profile: digest of its reference profile.
        revision_before: of the deployment's state.
        revision_after: of the deployment's state.
        state_before: digest of the state's payload.
        state_after: digest of the state's payload.
        policy: digest of the policy that is in force after the record.
        trust: digest of the trust state that is in force after the record.
        reject: why the command was refused.
        reasons: in words.
        checks: what was looked at.
        source: of the message that caused it.
        unread: of messages that nobody known signed, or that are told of by number alone.
        agent: instance of the serving agent.
        detail: what else belongs to the event.
        genesis: of record 0 alone.
    """

    seq: Count
    prev_hash: Digest
    event: Event
    decided_at_ms: Count
    op: Op | None = None
    command: Digest | None = None
    envelope: str | None = None
    approvals: tuple[str, ...] = ()
    actor: str = ""
    approvers: tuple[str, ...] = ()
    deployment: str = ""
    model: ModelRef | None = None
    profile: Digest | None = None
    revision_before: Count | None = None
    revision_after: Count | None = None
    state_before: Digest | None = None
    state_after: Digest | None = None
    policy: Digest | None = None
    trust: Digest | None = None
    reject: RejectCode | None = None
    reasons: tuple[Sentence, ...] = ()
    checks: tuple[Check, ...] = ()
    source: Source | None = None
    unread: Unread | None = None
    agent: str = ""
    detail: dict[str, Any] | None = None
    genesis: Genesis | None = None

    def to_bytes(self) -> bytes:
        """Give the record's bytes: JSON in one line.

        Raises:
            AuditError: it is too large for the topic, or what it holds is no JSON.
        """
        try:
            data = msgspec.json.encode(self)
        except (TypeError, ValueError, OverflowError) as error:
            raise AuditError(f"audit record {self.seq} ({self.event}) cannot be written: {error}") from error
        if len(data) > MAX_RECORD_BYTES:
            raise AuditError(
                f"audit record {self.seq} ({self.event}) has {len(data):,} bytes; {MAX_RECORD_BYTES:,} are allowed"
            )
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> AuditRecord:
        """Read a record.

        Raises:
            AuditError: it is none; the message says why.
        """
        return _read(_WHOLE, data)


class Link(msgspec.Struct, frozen=True):
    """The fields of a record that the chain needs; a tenth of the work of reading it whole."""

    schema: Literal["driftline.audit.v1"]
    seq: Count
    prev_hash: str
    event: Annotated[str, msgspec.Meta(min_length=1)]
    decided_at_ms: Count
    op: str | None = None

    @classmethod
    def from_bytes(cls, data: bytes) -> Link:
        """Read them; raises AuditError as `AuditRecord.from_bytes` does."""
        return _read(_LINK, data)


def digest(data: bytes) -> str:
    """Give sha256 in lower-case hex: what the next record's `prev_hash` is, and what is pinned of record 0."""
    return hashlib.sha256(data).hexdigest()


_Read = TypeVar("_Read")
_WHOLE = msgspec.json.Decoder(AuditRecord)
_LINK = msgspec.json.Decoder(Link)


def _read(decoder: msgspec.json.Decoder[_Read], data: bytes) -> _Read:
    if len(data) > MAX_RECORD_BYTES:
        raise AuditError(f"an audit record has {len(data):,} bytes; {MAX_RECORD_BYTES:,} are allowed")
    if b"\n" in data:
        raise AuditError("an audit record is one line, and this has several")
    try:
        if not data.isascii():
            data.decode()  # what a decoder passes over, it does not look at
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise AuditError(f"this is no audit record: {error}") from error
