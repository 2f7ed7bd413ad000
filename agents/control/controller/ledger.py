"""Ledger: the audit's end with all that the controller knows of it; each record is written and taken in at once.

Whatever a controller remembers is the sum of the records: one that dies is followed by one that reads them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.agents.audit.chain import Chain
from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import AuditRecord
from driftline.agents.audit.writer import resumed
from driftline.agents.control.controller.answers import Answers
from driftline.agents.control.controller.configured import Configured
from driftline.agents.control.controller.members import Members
from driftline.agents.control.controller.news import News
from driftline.agents.control.controller.place import Place
from driftline.agents.control.pending import LIMITS_MS
from driftline.agents.control.telling import begun, hear, taken_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from driftline.agents.audit.writer import AuditLog
    from driftline.agents.control.controller.vouched import Vouched
    from driftline.agents.control.desk import Desk
    from driftline.agents.control.judge import Facts
    from driftline.agents.control.verdicts import Refusal
    from driftline.schemas.control.command import Command
    from driftline.schemas.control.serving_state import Tier


class Ledger:
    """Where the audit ends.

    Args:
        records: all of it, from record 0 on.
        genesis: the pinned digest of record 0.
        look: what the desk looks at commands with.
        each: is told of each of these records.
        vouched: checkpoints that the end must agree with; None for whoever only looks.
        limits_ms: how long a command of each tier waits for approvals, ms.

    Raises:
        AuditError: the audit is empty, is not the one that is pinned, or a record does not follow the one before it, is
            not whole, or leads to a trust that no roots signed.
        ControllerError: no controller signed its end.

    Attributes:
        desk: trust, states, and what waits.
        configured: settings.
        members: live instances.
        answers: acks of the newest revisions.
        place: how far commands were decided.
        news: alerts and advice.
    """

    def __init__(
        self,
        records: Iterable[bytes],
        genesis: str,
        look: Callable[[Command], Facts | Refusal],
        each: Callable[[AuditRecord], None] = lambda _: None,
        vouched: Vouched | None = None,
        limits_ms: Mapping[Tier, int] = LIMITS_MS,
    ) -> None:
        self.configured, self.members = Configured(), Members()
        self.answers, self.place, self.news = Answers(), Place(), News()
        chain, desk = Chain(genesis), None
        for data in records:
            chain.take(data)
            if vouched is not None:
                vouched.take(chain)
            record = AuditRecord.from_bytes(data)
            with taken_in(record):
                if desk is None:
                    desk = begun(record, look, limits_ms)
                else:
                    hear(desk, record, chain.believed.state)
                self._take(record)
            each(record)
        if desk is None:
            raise AuditError("the audit is empty: 'driftline trust init' makes its first record")
        if vouched is not None:
            vouched.require(chain)
        self.desk: Desk = desk
        self.log: AuditLog = resumed(chain)

    def write(self, event: str, now_ms: int, **fields: Any) -> tuple[AuditRecord, bytes]:  # noqa: ANN401 - fields of AuditRecord
        """Add a record, and take it in; a decision of the desk was applied by the desk itself.

        Raises:
            AuditError: it cannot be written.
        """
        data = self.log.append(event, now_ms, **fields)
        record = AuditRecord.from_bytes(data)
        self.desk.seq = max(self.desk.seq, self.log.size)
        self._take(record)
        return record, data

    def _take(self, record: AuditRecord) -> None:
        for part in (self.configured, self.members, self.answers, self.place, self.news):
            part.take(record)
