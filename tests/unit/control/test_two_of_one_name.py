"""Two agents of one name: the controller counts one, says so once, and the audit does not grow by their beats."""

from __future__ import annotations

import logging

import pytest
from signed import number

from driftline.agents.audit.record import AuditRecord
from driftline.agents.control.controller.members import JOINED, SILENT, Members
from driftline.schemas.control.ack import LIVE_MS, Heartbeat
from driftline.schemas.control.trust import Agent

ONE = Agent(id="one", keys=("A" * 43 + "=",))


def heard(members: Members, word: str, at_ms: int) -> str | None:
    """Let a process beat; what is told of it is in the audit."""
    said = Heartbeat(
        installation=number("x"),
        instance="vm-0",
        boot_id=number(word),
        at_ms=at_ms,
        revisions={"churn": 1},
        free_bytes=0,
    )
    news = members.beat(said, ONE, at_ms)
    if news is not None:
        detail = {"agent": "one", "boot_id": number(word), "deployments": ["churn"], "heard_ms": at_ms}
        members.take(told(news, at_ms, detail))
    return news


def told(event: str, at_ms: int, detail: dict[str, object]) -> AuditRecord:
    """Return a record of an instance."""
    return AuditRecord(
        seq=1, prev_hash="0" * 64, event=event, decided_at_ms=at_ms, agent="vm-0", detail=detail
    )


@pytest.mark.parametrize("words", ["ab", "abc", "abcdef"])
def test_processes_with_one_key_and_one_name_join_once_each(
    words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The later one counts; the earlier one does again once that is silent. Which name it is stands in the log."""
    members = Members()
    with caplog.at_level(logging.WARNING):
        found = [heard(members, word, at * 2_000) for at in range(1, 50) for word in words]
    assert found.count(JOINED) == len(words)
    assert [
        one.getMessage() for one in caplog.records if "another process of the name vm-0" in one.getMessage()
    ] != []
    assert len(caplog.records) == 1
    last = 50 * 2_000
    heard(members, "a", last + LIVE_MS)
    assert members.silent(last + LIVE_MS) == [("one", "vm-0")]
    members.take(told(SILENT, last + LIVE_MS, {"agent": "one"}))
    assert heard(members, "a", last + LIVE_MS + 1) == JOINED


def test_a_process_that_starts_again_joins_each_time() -> None:
    """A restart is a new start, and no second process."""
    members = Members()
    assert [heard(members, str(at), at * 2_000) for at in range(1, 6)] == [JOINED] * 5
