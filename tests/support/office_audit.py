"""The audit of all that an office decided, as a controller writes it."""

from __future__ import annotations

from office import Office
from signed import NOW_MS, policy, trust

from driftline.agents.audit.record import Source
from driftline.agents.audit.writer import begin
from driftline.agents.control.telling import told

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
