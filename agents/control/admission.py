"""Admission: the bytes of a record of `deployment-control`, and whether they are a command worth deciding.

The checks come in this order, and the first that fails is the answer: too_large; malformed (no envelope of a command);
bad_signature; unknown_key; malformed (no command); forbidden (a root key on what persons ask for); malformed (more than
one asker); malformed or precondition_failed (a new trust that cannot be read, or cannot hold); bad_signature (new root
keys that did not sign); malformed (fields that its op does not have); wrong_audience; expired; approvals_missing (too
few root keys); replayed (also of whoever sent too many to know). What comes before `malformed (no command)` has no
signature that counts, and is told of by digest, size and offset alone. What too few root keys signed is of no signer: a
thief of one uses up nothing of the others. Policy, revision and preconditions come after admission, and again at the
effect.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from driftline.agents.control import shape
from driftline.agents.control.errors import SignatureError
from driftline.agents.control.signing import held_by, verified
from driftline.agents.control.trust import ROOT, ROOT_OPS, Keyring, asked_trust, lacks
from driftline.agents.control.verdicts import Refusal
from driftline.schemas.control.command import AHEAD_MS, LONGEST_MS, Command, RejectCode
from driftline.schemas.control.envelope import COMMAND, MAX_BYTES, Envelope, EnvelopeError
from driftline.schemas.control.trust import Person

if TYPE_CHECKING:
    from driftline.agents.control.replays import Seen


@dataclass(frozen=True, slots=True)
class Arrived:
    """A record of the topic: its bytes, its offset, and the broker's time of it, ms since 1970."""

    value: bytes
    offset: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Admitted:
    """A command that may be decided.

    Attributes:
        command: as it was read.
        envelope: with the signatures that hold, and no others.
        digest: sha256 of the payload.
        asker: who signed; None for a command of root keys.
        signers: ids of all known keys whose signatures hold; of a trust-set, also of the new root's.
        at_ms: the broker's time of the record.
    """

    command: Command
    envelope: Envelope
    digest: str
    asker: Person | None
    signers: frozenset[str]
    at_ms: int

    @property
    def by(self) -> str:
        """Id of the person who asked, or `root`."""
        return ROOT if self.asker is None else self.asker.id


@dataclass(frozen=True, slots=True)
class Rejected:
    """Bytes that a known key signed and that are refused: told of verbatim."""

    refusal: Refusal
    envelope: Envelope
    signers: frozenset[str]
    asker: Person | None = None
    command: Command | None = None


@dataclass(frozen=True, slots=True)
class Unsigned:
    """Bytes that no known key answers for: never told of verbatim.

    Attributes:
        refusal: why.
        sha256: of the record's value, in lower-case hex.
        size_bytes: of it.
        offset: where it lies.
    """

    refusal: Refusal
    sha256: str
    size_bytes: int
    offset: int


def admit(record: Arrived, ring: Keyring, seen: Seen, now_ms: int) -> Admitted | Rejected | Unsigned:
    """Read and check one record.

    Args:
        record: as it came.
        ring: the keys that count now.
        seen: commands that were seen.
        now_ms: the time of the decision, by the controller's clock, ms since 1970.
    """
    opened = _opened(record, ring)
    if isinstance(opened, Unsigned):
        return opened
    envelope, signers = opened
    try:
        command = Command.from_bytes(envelope.body)
    except msgspec.MsgspecError as error:
        why = Refusal("malformed", f"this is no command: {error}")
        return Rejected(why, held_by(envelope, signers), signers)
    found = _asker(command, envelope, signers, ring)
    if isinstance(found, Refusal):
        return Rejected(found, held_by(envelope, signers), signers, command=command)
    asker, signers = found
    envelope = held_by(envelope, signers)
    refusal = (
        _malformed(command)
        or _meant_elsewhere(command, ring)
        or _untimely(command, record.at_ms, now_ms)
        or (lacks(ring, signers) if asker is None else None)
        or _replayed(command, asker, seen, now_ms)
    )
    if refusal is not None:
        return Rejected(refusal, envelope, signers, asker, command)
    return Admitted(command, envelope, envelope.digest, asker, signers, record.at_ms)


def _opened(record: Arrived, ring: Keyring) -> tuple[Envelope, frozenset[str]] | Unsigned:
    """The envelope and who signed it, as far as they are known."""

    def unsigned(code: RejectCode, sentence: str) -> Unsigned:
        digest = hashlib.sha256(record.value).hexdigest()
        return Unsigned(Refusal(code, sentence), digest, len(record.value), record.offset)

    if len(record.value) > MAX_BYTES:
        return unsigned("too_large", f"the record has {len(record.value):,} bytes; {MAX_BYTES:,} are allowed")
    try:
        envelope = Envelope.from_bytes(record.value)
        if envelope.payload_type != COMMAND:
            return unsigned("malformed", "the envelope holds no command")
        signers = verified(envelope, ring.askers)
    except EnvelopeError as error:
        return unsigned("malformed", str(error))
    except SignatureError as error:
        return unsigned("bad_signature", str(error))
    if not signers:
        return unsigned("unknown_key", "no key that is known, and not revoked, signed it")
    return envelope, signers


def _asker(
    command: Command, envelope: Envelope, signers: frozenset[str], ring: Keyring
) -> tuple[Person | None, frozenset[str]] | Refusal:
    """Who asks, and all whose signatures hold."""
    if command.op in ROOT_OPS:
        return _root(command, envelope, signers, ring)
    persons = ring.persons_of(signers)
    if not persons:
        return Refusal(
            "forbidden", f"root keys do not {command.op}: a person signs that with a key of their own"
        )
    if len(persons) > 1:
        names = ", ".join(sorted(persons))
        return Refusal("malformed", f"a command has one asker and this one has {names}; others approve it")
    return next(iter(persons.values())), signers


def _root(
    command: Command, envelope: Envelope, signers: frozenset[str], ring: Keyring
) -> tuple[None, frozenset[str]] | Refusal:
    """A command of root keys; a new root signs with keys that only its own trust names."""
    if command.op != "trust-set":
        return None, signers
    asked = asked_trust(command)
    if isinstance(asked, Refusal):
        return asked
    new = Keyring(msgspec.structs.replace(ring.state, trust=asked)).root
    try:
        return None, signers | verified(envelope, {**new, **ring.askers})
    except SignatureError as error:
        return Refusal("bad_signature", str(error))


def _malformed(command: Command) -> Refusal | None:
    wrong = shape.fault(command)
    return None if wrong is None else Refusal("malformed", wrong)


def _meant_elsewhere(command: Command, ring: Keyring) -> Refusal | None:
    here = ring.state.trust.installation
    if command.audience == here:
        return None
    return Refusal(
        "wrong_audience", f"it is meant for the installation {command.audience}; this one is {here}"
    )


def _untimely(command: Command, at_ms: int, now_ms: int) -> Refusal | None:
    """Times limit admission only: what was admitted in time may wait for approvals for days."""
    if at_ms > command.expires_at_ms:
        return Refusal("expired", f"it came {at_ms - command.expires_at_ms:,} ms after it expired: ask again")
    if command.issued_at_ms > at_ms + AHEAD_MS:
        ahead = command.issued_at_ms - at_ms
        return Refusal(
            "expired", f"it was issued {ahead:,} ms after it came: the clock of whoever signed is wrong"
        )
    if now_ms - at_ms > LONGEST_MS:
        return Refusal(
            "expired", f"nobody decided it within {LONGEST_MS // 60_000} minutes after it came: ask again"
        )
    return None


def _replayed(command: Command, asker: Person | None, seen: Seen, now_ms: int) -> Refusal | None:
    who = ROOT if asker is None else asker.id
    if seen.holds(command):
        return Refusal("replayed", "a command of this id or nonce was seen before: sign a new one")
    if not seen.has_room(who, now_ms):
        return Refusal(
            "replayed",
            f"{who} sent too many commands to know a replay by: wait for an hour after their end",
        )
    return None
