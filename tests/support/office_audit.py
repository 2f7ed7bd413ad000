"""The audit of all that an office decided, as a controller writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from office import Office
from signed import NOW_MS, policy, trust

from driftline.agents.audit.chain import Chain
from driftline.agents.audit.record import AuditRecord, Link, Source, digest
from driftline.agents.audit.writer import begin
from driftline.agents.control.desk import Desk
from driftline.agents.control.ended import Ended
from driftline.agents.control.judge import Facts
from driftline.agents.control.telling import begun, hear, told
from driftline.agents.control.verdicts import Refusal
from driftline.schemas.control.command import Command

HERE = Source(topic="deployment-control", topic_id="t", partition=0, offset=1)


def lines(office: Office) -> list[bytes]:
    """Return the audit of all that an office decided."""
    log, first = begin(trust(), policy().text, NOW_MS)
    found = [first]
    for decision in office.told:
        assert decision.seq == log.size
        event, fields = told(decision, HERE)
        found.append(log.append(event, decision.at_ms, **fields))
    return found


def heard(office: Office) -> set[str]:
    """Return the digests of what an agent knows to be over that heard all that an office told."""
    ended = Ended()
    for data in lines(office):
        ended.take(Link.from_bytes(data).event, data)
    return ended.digests


def rebuilt(records: Iterable[AuditRecord], look: Callable[[Command], Facts | Refusal]) -> Desk:
    """Return the desk that stands where an audit ends."""
    first, *rest = records
    desk, data = begun(first, look), first.to_bytes()
    chain = Chain(digest(data))
    chain.take(data)
    for record in rest:
        chain.take(record.to_bytes())
        hear(desk, record, chain.believed.state)
    return desk
