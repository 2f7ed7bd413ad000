"""Believed: which keys count at a place of the log, as record 0 and the signed changes after it say.

A change of trust counts only when the roots that were in force before it signed it: whoever writes the log anew cannot
bring in keys of his own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.notes import PLAIN, TIMED, NoteKey
from driftline.agents.audit.record import EFFECTIVE, GENESIS, AuditRecord
from driftline.agents.control.errors import SignatureError
from driftline.agents.control.keys import public_of
from driftline.agents.control.signing import key_id, verified
from driftline.agents.control.trust import ROOT_OPS, Keyring, asked_trust, changed, first_state
from driftline.agents.control.verdicts import Refusal
from driftline.schemas.control.command import Command
from driftline.schemas.control.envelope import COMMAND, Envelope, EnvelopeError
from driftline.schemas.control.trust import Trust

if TYPE_CHECKING:
    from driftline.schemas.control.trust import TrustState


EMPTY: Final[Mapping[str, bytes]] = MappingProxyType({})


@dataclass(frozen=True)
class Believed:
    """The keys in force.

    Attributes:
        state: trust as it stands.
        ring: the keys of it.
        logs: keys that sign checkpoints.
        witnesses: keys that sign below them.
        signers: raw public keys, by id, of all whose envelopes stand in records.
        known: the same, with those of earlier trust and revoked ones: what they signed may still be refused or lapse.
        digest: of the state.
    """

    state: TrustState
    ring: Keyring
    logs: tuple[NoteKey, ...]
    witnesses: tuple[NoteKey, ...]
    signers: Mapping[str, bytes]
    known: Mapping[str, bytes]
    digest: str

    @classmethod
    def of(cls, state: TrustState, known: Mapping[str, bytes] = EMPTY) -> Believed:
        """Read a trust state; `known` are the keys that were known before it."""
        ring, trust = Keyring(state), state.trust
        gone = {one.key for one in state.revocations}
        logs = tuple(NoteKey(trust.origin, PLAIN, public) for public in ring.checkpoints.values())
        held = ((one.name, public_of(one.key)) for one in trust.witnesses)
        witnesses = tuple(NoteKey(name, TIMED, key) for name, key in held if key_id(key) not in gone)
        signers = {**ring.agents, **ring.controllers, **ring.persons, **ring.root}
        return cls(state, ring, logs, witnesses, signers, {**known, **signers}, state.digest)

    @classmethod
    def first(cls, record: AuditRecord) -> Believed:
        """What is believed after record 0, whose digest is pinned.

        Raises:
            AuditError: it is no beginning of a log.
        """
        if record.event != GENESIS or record.genesis is None:
            raise AuditError("record 0 is no genesis")
        try:
            return cls.of(first_state(record.genesis.trust, record.genesis.policy))
        except ValueError as error:
            raise AuditError(f"record 0 lays down what cannot be: {error}") from error

    def after(self, record: AuditRecord) -> Believed:
        """What is believed after a later record.

        Raises:
            AuditError: it changes trust, and the roots did not sign that, or it names another outcome.
        """
        if record.event != EFFECTIVE or record.op not in ROOT_OPS:
            return self
        command, signers = self._root_command(record)
        after = self if command.op == "log-reset" else self._changed(command, signers, record.decided_at_ms)
        if (record.trust, record.policy) != (after.digest, after.state.policy):
            raise AuditError(f"it names a trust or policy that its {command.op} does not lead to")
        return after

    def _changed(self, command: Command, signers: frozenset[str], at_ms: int) -> Believed:
        state = changed(self.state, command, signers, at_ms)
        if isinstance(state, Refusal):
            raise AuditError(f"its {command.op} cannot have taken effect: {state.sentence}")
        return Believed.of(state, self.known)

    def _root_command(self, record: AuditRecord) -> tuple[Command, frozenset[str]]:
        """Give the command that the roots signed, and the ids of the keys that did."""
        try:
            envelope = Envelope.from_bytes((record.envelope or "").encode())
            command = Command.from_bytes(envelope.body)
            asked = asked_trust(command) if command.op == "trust-set" else None
            added = asked.root.keys if isinstance(asked, Trust) else ()
            keys = {key_id(public): public for public in map(public_of, added)} | dict(self.ring.root)
            signers = verified(envelope, keys)
        except (EnvelopeError, SignatureError, msgspec.MsgspecError, ValueError) as error:
            raise AuditError(f"its command cannot be believed: {error}") from error
        threshold = self.state.trust.root.threshold
        if len(signers & self.ring.root.keys()) < threshold:
            raise AuditError(f"fewer than {threshold} roots signed its {record.op}")
        if (command.op, envelope.digest, envelope.payload_type) != (record.op, record.command, COMMAND):
            raise AuditError(f"the command in its envelope is another one ({command.op})")
        if command.audience != self.state.trust.installation:
            # Roots may sign for several installations.
            raise AuditError(f"its {command.op} is meant for the installation {command.audience}")
        return command, signers
