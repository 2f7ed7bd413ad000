"""The office: what people of the demo ask and approve, each with a key of their own, and what the audit tells of it."""

from __future__ import annotations

import os
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from driftline.agents.audit.record import AuditRecord
from driftline.agents.audit.topic import Reader
from driftline.deploy.control.asking import built, published
from driftline.deploy.control.board import Board
from driftline.deploy.control.errors import AskingError
from driftline.deploy.control.wire import wire_of
from driftline.schemas.control.command import Op

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftline.agents.control.keys import Key
    from driftline.deploy.control.outcome import Outcome
    from driftline.deploy.demo.installation import Installation
    from driftline.schemas.settings import Settings

DECIDED_S: Final = 60.0
"""How long a command may wait for the controller, which has just been started."""
SERVING: Final[frozenset[Op]] = frozenset(("create", "shadow", "canary", "promote"))
"""What agents carry out."""
CONFLICT: Final = "revision_conflict"
LOOKS: Final = 4
"""How often people look and ask because the deployment changed between the look and the decision."""
APPLIED_S: Final = 90.0
"""How long the agent may take to fetch, try and load a model."""


class Office:
    """People who ask.

    Args:
        installation: whose keys they hold.
        deployment: what they ask about.
    """

    def __init__(self, installation: Installation, deployment: str) -> None:
        self._installation, self._deployment = installation, deployment
        self._kafka = installation.settings.kafka
        self._reader = Reader(self._kafka)
        self._told: list[AuditRecord] = []

    def close(self) -> None:
        """Leave the audit."""
        self._reader.close()

    def ask(
        self,
        op: Op,
        who: str,
        fields: Callable[[Board], dict[str, Any]],
        reason: str,
        approvers: Sequence[str] = (),
    ) -> AuditRecord:
        """Ask for something, let others approve it, and wait until it is so everywhere.

        Where the deployment changed in between, as when a bake time ends, they look and ask again, a few times.

        Args:
            op: what is asked.
            who: id of the person.
            fields: of the command, from what is so.
            reason: why.
            approvers: ids of persons who approve it.

        Returns:
            The record of the audit by which it took effect.

        Raises:
            AskingError: it was refused, or the agent does not follow.
        """
        for _ in range(LOOKS):
            last = self._asked(op, who, fields, reason, approvers)
            if last.code != CONFLICT:
                break
        if last.is_refusal:
            raise AskingError(f"{op} by {who} was refused: {last.sentence}")
        if last.event != "effective":
            raise AskingError(f"{op} of {self._deployment} came to nothing: {last.event}: {last.sentence}")
        record = self.wait(lambda one: one.seq == last.seq, DECIDED_S, f"audit record {last.seq}")
        if op in SERVING:
            self._is_applied(self._prepared(op, record) if last.is_prepared else record)
        return record

    def review(self, who: str, digest: str) -> None:
        """Let another person look at what somebody did by breaking the glass."""
        outcome, _ = self._say("approve", who, lambda _: {"target": digest}, "reviewed: it is taken back")
        if outcome.is_refusal:
            raise AskingError(f"the review by {who} was refused: {outcome.sentence}")

    def wait(self, found: Callable[[AuditRecord], bool], seconds: float, what: str) -> AuditRecord:
        """Give the first record of the audit of which something holds; waits until there is one.

        Raises:
            AskingError: there is none within a time.
        """
        record = self.seen(found, seconds)
        if record is None:
            raise AskingError(f"the audit does not tell of {what} within {seconds:.0f} s")
        return record

    def seen(self, found: Callable[[AuditRecord], bool], seconds: float) -> AuditRecord | None:
        """Give what `wait` gives; None when there is none within a time."""
        deadline, seen = time.monotonic() + seconds, 0
        while True:
            for one in self._told[seen:]:
                if found(one):
                    return one
            seen = len(self._told)
            if time.monotonic() > deadline:
                return None
            self._told += [AuditRecord.from_bytes(one) for one in self._reader.read(0.1)]

    def _asked(
        self,
        op: Op,
        who: str,
        fields: Callable[[Board], dict[str, Any]],
        reason: str,
        approvers: Sequence[str],
    ) -> Outcome:
        """What came of a command once it was approved."""
        outcome, digest = self._say(op, who, fields, reason)
        for approver in approvers:
            if outcome.is_refusal:
                break
            outcome, _ = self._say("approve", approver, lambda _: {"target": digest}, "looked at it")
        return outcome if outcome.then is None else outcome.then

    def _say(
        self, op: Op, who: str, fields: Callable[[Board], dict[str, Any]], reason: str
    ) -> tuple[Outcome, str]:
        """Let a person ask; gives the outcome and the command's digest."""
        return said(
            self._installation.settings,
            op,
            self._installation.key(who),
            lambda board: {"deployment": self._deployment, "reason": reason, **fields(board)},
        )

    def _prepared(self, op: Op, begun: AuditRecord) -> AuditRecord:
        """Wait until what instances had to load first is loaded; gives the record that says what came of it."""
        made = self.wait(
            lambda one: one.seq > begun.seq and self._is_of(one, "moved"),
            APPLIED_S,
            f"the end of the preparation of {op}",
        )
        if any("is cancelled" in reason for reason in made.reasons):
            raise AskingError(f"{op} of {self._deployment} came to nothing: {'; '.join(made.reasons)}")
        return made

    def _is_applied(self, made: AuditRecord) -> None:
        """Wait until every live instance serves a revision, or a later one."""
        revision = made.revision_after or 0
        self.wait(
            lambda one: self._is_of(one, "applied") and (one.detail or {}).get("revision", 0) >= revision,
            APPLIED_S,
            f"revision {revision} being applied",
        )

    def _is_of(self, one: AuditRecord, event: str) -> bool:
        return one.event == event and one.deployment == self._deployment


def said(
    settings: Settings, op: Op, key: Key, fields: Callable[[Board], dict[str, Any]]
) -> tuple[Outcome, str]:
    """Sign and publish a command built from the verified audit; gives its outcome and its digest.

    Raises:
        AskingError: it cannot be built, or nobody decides it.
        AuditError: the audit cannot be believed.
    """
    with closing(wire_of(settings.kafka)) as wire:
        board = Board(wire, settings.control.genesis)
        asked = built(board, op, fields(board), [key], time.time_ns() // 1_000_000, os.urandom)
        return published(wire, board, asked, timeout_s=DECIDED_S, clock=time.monotonic), asked.envelope.digest
