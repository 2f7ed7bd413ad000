"""Board: what is so, as the verified audit tells it, for whoever builds a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import AuditRecord
from driftline.agents.audit.signatures import Signatures
from driftline.agents.control.controller.vouched import is_end_signed
from driftline.agents.control.judge import judge
from driftline.agents.control.looking import look
from driftline.agents.control.telling import begun, hear
from driftline.deploy.control.errors import AskingError
from driftline.deploy.control.verified import Verified
from driftline.schemas.sources import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.agents.control.desk import Desk
    from driftline.agents.control.judge import Facts
    from driftline.agents.control.pending import Review, Waiting
    from driftline.agents.control.verdicts import Refusal
    from driftline.deploy.control.wire import Wire
    from driftline.schemas.control.command import Command, ModelRef
    from driftline.schemas.control.serving_state import ServingState

SHORTEST: int = 8
"""Digits of a digest that are enough to name it, when no other begins with them."""


class Board:
    """The desk of the controller, seen from outside.

    Args:
        wire: where the audit is read.
        genesis: digest of record 0 that is pinned.

    Raises:
        AuditError: the audit is not the one that is pinned, or was changed: no command is built on it.
        ControllerError: no controller signed its end.
    """

    def __init__(self, wire: Wire, genesis: str) -> None:
        self._desk: Desk | None = None
        verified = Verified(wire.notes(), genesis, wire.every_note, signatures=True)
        self._chain, self._signatures = verified.chain, Signatures()
        for record in verified.read(wire.so_far()):
            self._hear(record)
        verified.require()
        verified.require_end()
        self._logs = verified.chain.believed.logs

    @property
    def desk(self) -> Desk:
        """Where the controller stands."""
        if self._desk is None:
            raise AuditError("the audit is empty: 'driftline trust init' makes its first record")
        return self._desk

    @property
    def installation(self) -> str:
        """Id of the installation."""
        return self.desk.history.now.ring.state.trust.installation

    @property
    def trust_version(self) -> int:
        """Version of trust, which its changes expect."""
        return self.desk.history.now.ring.state.version

    def state(self, deployment: str) -> ServingState:
        """The newest revision of a deployment; raises AskingError when there is none."""
        found = self.desk.states.get(deployment)
        if found is None:
            raise AskingError(f"there is no deployment {deployment!r}{nearest(deployment, self.desk.states)}")
        return found

    def model(self, deployment: str, version: str) -> ModelRef:
        """The package of a version that a deployment knows; raises AskingError when it knows none of that name."""
        known = {one.model.version: one.model for one in self.state(deployment).versions}
        if version not in known:
            raise AskingError(f"{deployment} knows no version {version!r}{nearest(version, known)}")
        return known[version]

    def version(self, deployment: str, version: str) -> dict[str, Any]:
        """The fields by which a command names a version in the state that it expects; raises as `model` does."""
        return {
            "deployment": deployment,
            "model": self.model(deployment, version),
            "expected_revision": self.state(deployment).revision,
        }

    def waiting(self, begin: str) -> Waiting:
        """The command that waits, by the begin of its digest; raises AskingError when not exactly one has it."""
        found = [one for one in self.desk.book if one.digest.startswith(begin)]
        if len(begin) < SHORTEST or len(found) > 1:
            raise AskingError(
                f"{begin!r} names no one command: give more of its digest, {SHORTEST} digits at least"
            )
        if not found:
            raise AskingError(f"no command waits whose digest begins with {begin}: see 'driftline pending'")
        return found[0]

    def named(self, begin: str) -> Waiting | Review:
        """What waits or is to be reviewed, by the begin of its digest; raises AskingError as `waiting` does."""
        reviews = [one for one in self.desk.book.reviews if one.digest.startswith(begin)]
        found = any(one.digest.startswith(begin) for one in self.desk.book)
        if len(begin) >= SHORTEST and len(reviews) == 1 and not found:
            return reviews[0]
        return self.waiting(begin)

    def lacking(self, waiting: Waiting, now_ms: int) -> int | None:
        """How many more must approve a command that waits; None when nothing would help it any more."""
        desk = self.desk
        found = judge(
            waiting, desk.history.now, desk.states, desk.book, self.look(waiting.command), desk.at(now_ms)
        )
        return None if found.refusal is not None else found.lacking

    def look(self, command: Command) -> Facts | Refusal:
        """What a command brings, as the controller looks at it; what lies elsewhere is for the controller alone."""
        return look(command, self.desk.history.now.ring.persons)

    def is_signed(self, notes: Iterable[bytes]) -> bool:
        """Whether a controller signed the end of what was heard, in one of these messages."""
        # A change that takes a key of the log away is signed by that key.
        return is_end_signed(self._chain, notes, {*self._logs, *self._chain.believed.logs})

    def hears(self, values: Iterable[bytes]) -> list[AuditRecord]:
        """Take in records that came since, each held against the one before it and against those whom it names.

        Raises:
            AuditError: one does not follow, or names a person who did not sign.
        """
        heard = []
        for data in values:
            before = self._chain.believed
            self._chain.take(data)
            record = AuditRecord.from_bytes(data)
            try:
                self._signatures.check(record, before)
            except AuditError as error:
                raise AuditError(f"audit record {record.seq} cannot be believed: {error}") from error
            self._hear(record)
            heard.append(record)
        return heard

    def _hear(self, record: AuditRecord) -> None:
        if self._desk is None:
            self._desk = begun(record, self.look)
        else:
            hear(self._desk, record, self._chain.believed.state)
