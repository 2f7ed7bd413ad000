"""Trust: who holds which key and which role, as `trust-set` carries it, and the state of it that the audit tells.

Public keys are the 44 characters of base64 that `driftline keys new` prints. Persons have ids, and names in nobody's
record: those stay in the trust file of whoever runs the installation.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from driftline.schemas.control.command import Name, Uuid
from driftline.schemas.control.envelope import Digest, KeyId
from driftline.schemas.control.reading import decoded

PublicKey = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9+/]{43}=\Z")]
Origin = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9._~/-]{1,200}\Z")]
"""First line of a checkpoint, and the name of the checkpoint's key (C2SP tlog-checkpoint)."""
Scope = Annotated[str, msgspec.Meta(pattern=r"\A(\*|[A-Za-z0-9][A-Za-z0-9._-]{0,99})\Z")]
"""The name of a deployment, or `*` for all of them."""
Kind: TypeAlias = Literal["human", "system"]

MAX_KEYS: Final = 32
MAX_PERSONS: Final = 300
MAX_AGENTS: Final = 1_000

Keys = Annotated[tuple[PublicKey, ...], msgspec.Meta(min_length=1, max_length=MAX_KEYS)]
Scopes = Annotated[tuple[Scope, ...], msgspec.Meta(min_length=1, max_length=100)]


class Root(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys that trust and policy rest on: `threshold` of them sign a change."""

    threshold: Annotated[int, msgspec.Meta(ge=1, le=MAX_KEYS)]
    keys: Keys


class Person(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whoever may ask or approve.

    Attributes:
        id: what the audit says; no name of a human.
        roles: names that the policy knows.
        keys: each of them speaks for the person; two of them are still one person.
        kind: a human, or a system that holds a key of its own.
        deployments: which ones the roles are for.
    """

    id: Name
    roles: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=20)]
    keys: Keys
    kind: Kind = "human"
    deployments: Scopes = ("*",)


class Agent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A serving agent: its acks count for these deployments."""

    id: Name
    keys: Keys
    deployments: Scopes = ("*",)


class Witness(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who cosigns checkpoints: the name in its signature's line, and its key."""

    name: Origin
    key: PublicKey


class Trust(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What people say of trust, whole.

    Attributes:
        installation: its id; never changes.
        origin: of the log; never changes.
        root: what trust itself rests on.
        controllers: keys that sign states.
        checkpoints: keys that sign checkpoints of the audit.
        persons, agents, witnesses: as above.
    """

    installation: Uuid
    origin: Origin
    root: Root
    controllers: Keys
    checkpoints: Keys
    persons: Annotated[tuple[Person, ...], msgspec.Meta(min_length=1, max_length=MAX_PERSONS)]
    agents: Annotated[tuple[Agent, ...], msgspec.Meta(max_length=MAX_AGENTS)] = ()
    witnesses: Annotated[tuple[Witness, ...], msgspec.Meta(max_length=MAX_KEYS)] = ()


class Revocation(msgspec.Struct, frozen=True, kw_only=True):
    """A key that counts no more; `compromised_since_ms` is from when what it signed is doubted, ms since 1970."""

    key: KeyId
    revoked_at_ms: int
    compromised_since_ms: int | None = None


class TrustState(msgspec.Struct, frozen=True, kw_only=True):
    """Trust as it stands after a record of the audit.

    Attributes:
        version: 1 after the first record; grows by one with each trust-set, key-revoke and policy-set.
        trust: what people said last.
        policy: sha256 of the policy's text.
        revocations: none is ever taken back.
    """

    version: int
    trust: Trust
    policy: Digest
    revocations: tuple[Revocation, ...] = ()

    @property
    def digest(self) -> str:
        """sha256, in lower-case hex, of this state's bytes: what each record of the audit names."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """Give JSON with its fields in the order of their names."""
        return msgspec.json.encode(self, order="sorted")

    @classmethod
    def from_bytes(cls, data: bytes) -> TrustState:
        """Read what `to_bytes` gave; raises msgspec.MsgspecError."""
        return decoded(data, cls)
