"""Errors of the local stack, each one sentence with its mend."""

from __future__ import annotations

from pathlib import Path

from driftline.schemas.errors import DriftlineError

# Lines of a log kept with an error: enough for a Java stack trace.
TAIL_LINES = 40
_TAIL_BYTES = 16_384


class StackError(DriftlineError):
    """Something of the local stack is missing, taken, damaged or did not start.

    Attributes:
        tail: the last lines of the log of the component, "" when there is none.

    """

    def __init__(self, sentence: str, tail: str = "") -> None:
        """Keep the sentence for people and the tail of the log for whoever looks into it."""
        super().__init__(sentence)
        self.tail = tail


def tail_of(log: Path) -> str:
    """Return the last TAIL_LINES lines of a log, "" when it does not exist."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-TAIL_LINES:])
