"""Resets: the log-reset that lets a controller go on with another topic of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.agents.control.admission import Admitted, Arrived, admit

if TYPE_CHECKING:
    from driftline.agents.control.desk import Desk

PASSED_OVER: Final = "passed-over"
"""The event of records that lie before the log-reset of their topic; nobody decides them."""


def is_reset(record: Arrived, desk: Desk, topic_id: str, now_ms: int) -> bool:
    """Whether a record is a log-reset that enough root keys signed for the topic of this id."""
    found = admit(record, desk.history.now.ring, desk.seen, now_ms)
    return (
        isinstance(found, Admitted) and found.command.op == "log-reset" and found.command.target == topic_id
    )
