"""Signatures: whether the envelopes in a record were signed by those whom the record names, by keys known at its place.

What policy asked of them is not judged again here: the record of the decision stands, and its digest of the policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import EFFECTIVE, AuditRecord, digest
from driftline.agents.control.errors import SignatureError
from driftline.agents.control.signing import verified
from driftline.agents.control.trust import ROOT_OPS
from driftline.schemas.control.command import Command
from driftline.schemas.control.envelope import Envelope, EnvelopeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from driftline.agents.audit.believed import Believed
    from driftline.schemas.control.command import ModelRef

KEPT: Final = 1_024
"""How many envelopes are remembered: one stands in the record of its admission and in that of its effect."""
KEPT_CHARS: Final = 8_192
"""Longer ones are not."""
_ESCAPED: Final = b"\\u00"


class Signatures:
    """Checks record by record.

    Attributes:
        checked: signatures that were checked, each as often as it stands in a record.
    """

    def __init__(self) -> None:
        self.checked = 0
        self._kept: dict[str, tuple[Envelope, frozenset[str]]] = {}

    def check(self, record: AuditRecord, believed: Believed) -> frozenset[str]:
        """Check every envelope in a record against what was believed before it.

        Returns:
            The ids of the keys that it leans on.

        Raises:
            AuditError: a signature does not hold, or belongs to somebody whom the record does not name.
        """
        _tells_of_its_trust(record)
        if record.envelope is None:
            _unsigned(record)
            return frozenset()
        allowed = believed.signers if record.event == EFFECTIVE else believed.known
        envelope, keys = self._read(record.envelope, allowed)
        if record.command != envelope.digest and (record.command is not None or record.event == EFFECTIVE):
            raise AuditError("its envelope holds another command than the digest that it names")
        _same(record, _command(envelope), believed.ring.state.trust.installation)
        if record.actor and record.actor not in believed.ring.persons_of(keys):
            raise AuditError(f"it names {record.actor} as who asked, whose key did not sign")
        approvers: set[str] = set()
        for text in record.approvals:
            answer, added = self._read(text, allowed)
            command = _command(answer)
            if command is None or command.op not in ("approve", "deny") or command.target != record.command:
                raise AuditError("one of its approvals is about another command")
            if command.op == "approve":
                approvers |= believed.ring.persons_of(added).keys()
            keys |= added
        if record.actor and record.actor in record.approvers:
            raise AuditError(f"it names {record.actor} as who asked and as who approved")
        missing = set(record.approvers) - approvers
        if missing:
            raise AuditError(f"it names {min(missing)} as who approved, whose key did not sign an approval")
        return keys

    def _read(self, text: str, allowed: Mapping[str, bytes]) -> tuple[Envelope, frozenset[str]]:
        """Give an envelope and the allowed keys that signed it; at least one did."""
        found = self._kept.get(text)
        if found is None or not found[1] <= allowed.keys():
            found = _checked(text, allowed)
            if len(text) <= KEPT_CHARS:
                self._kept[text] = found
            if len(self._kept) > KEPT:
                del self._kept[next(iter(self._kept))]
        self.checked += len(found[1])
        return found


def _checked(text: str, keys: Mapping[str, bytes]) -> tuple[Envelope, frozenset[str]]:
    try:
        envelope = Envelope.from_bytes(text.encode())
        held = verified(envelope, keys)
    except (EnvelopeError, SignatureError, UnicodeEncodeError) as error:
        raise AuditError(f"an envelope in it cannot be believed: {error}") from error
    if not held:
        raise AuditError("an envelope in it is signed by no key that was known then")
    return envelope, held


def _command(envelope: Envelope) -> Command | None:
    """The command in an envelope; None where there is none, as in an ack, or in what was refused for that."""
    try:
        return Command.from_bytes(envelope.body)
    except msgspec.MsgspecError:
        return None


def _tells_of_its_trust(record: AuditRecord) -> None:
    """Hold a trust that a record tells of in words against the one that it names by digest; raises AuditError."""
    told = (record.detail or {}).get("trust")
    if told is None:
        return
    if record.event != EFFECTIVE or record.op not in ROOT_OPS:
        raise AuditError("it tells of a trust, and what it is about changes none")
    if not isinstance(told, str) or digest(told.encode(errors="replace")) != record.trust:
        raise AuditError("it tells of another trust than the one that roots signed")


def _unsigned(record: AuditRecord) -> None:
    """Hold a record without an envelope to what the controller may say alone; raises AuditError."""
    if record.approvals or record.event == EFFECTIVE:
        raise AuditError("it carries no command that was approved or took effect")
    if record.actor or record.approvers:
        raise AuditError("it names persons, and carries nothing that they signed")


def _same(record: AuditRecord, command: Command | None, installation: str) -> None:
    """Hold what a record says was asked for against what was signed; raises AuditError."""
    if command is None:
        if record.op or record.event == EFFECTIVE:  # an agent's ack is about a deployment too
            raise AuditError("it says what was asked for, and its envelope holds no command")
        return
    is_whole = record.event == EFFECTIVE  # what took effect says all that was asked for, and who asked
    if is_whole and command.audience != installation:
        raise AuditError("its command was meant for another installation")
    if is_whole and not record.actor and command.op not in ROOT_OPS:
        raise AuditError("it names nobody as who asked, and its command is a person's")
    # An approval may leave out the deployment that it is about.
    is_about_any = command.op in ("approve", "deny") and not command.deployment
    for what, said, signed in (
        ("to do", record.op, command.op),
        ("of the deployment", record.deployment, record.deployment if is_about_any else command.deployment),
        ("of the version", _named_model(record.model), _named_model(command.model)),
    ):
        if said != signed and (said or is_whole):
            raise AuditError(
                f"it says that {said or 'nothing'} was asked for {what}, and {signed or 'none'} was signed"
            )


def _named_model(model: ModelRef | None) -> str:
    return "" if model is None else f"{model.name} {model.version} {model.manifest}"


def leaning(records: Iterable[bytes], compromised: Mapping[str, int]) -> Iterator[tuple[int, str]]:
    """Give the records that lean on a key at a time when it was not to be trusted any more.

    Args:
        records: of a log that was verified.
        compromised: of each key, since when, ms since 1970.

    Yields:
        The number of the record, and the id of the key.
    """
    marks = [keyid.encode() for keyid in compromised]
    for data in records:
        # JSON may write each digit of an id as \u00xx too.
        if _ESCAPED not in data and not any(mark in data for mark in marks):
            continue
        record = AuditRecord.from_bytes(data)
        named = {
            keyid
            for text in (record.envelope, *record.approvals)
            if text
            for keyid in _named(text, compromised)
        }
        for keyid in sorted(named):
            if record.decided_at_ms >= compromised[keyid]:
                yield record.seq, keyid


def _named(text: str, keys: Mapping[str, int]) -> set[str]:
    """The keys that an envelope names as those that signed it; of one that cannot be read, all that stand in it."""
    try:
        signers = {one.keyid for one in Envelope.from_bytes(text.encode()).signatures}
    except (EnvelopeError, UnicodeEncodeError):
        return {keyid for keyid in keys if keyid in text}
    return signers & keys.keys()
