"""The exit codes of every command."""

from __future__ import annotations

import signal
from typing import Final

OK: Final = 0
FAILED: Final = 1
WRONG_USAGE: Final = 2
INTERRUPTED: Final = 128 + signal.SIGINT
"""What a shell reports for a program that Ctrl-C ended."""
BROKEN_PIPE: Final = 128 + signal.SIGPIPE
"""What a shell reports for a program that SIGPIPE ended: the reader of stdout went away before the command was done."""

EXITS: Final[dict[int, str]] = {
    OK: "well",
    FAILED: "a failure, or an answer that is no; stderr says why",
    WRONG_USAGE: "wrong usage: an unknown command or option, a bad value",
    INTERRUPTED: "Ctrl-C",
    BROKEN_PIPE: "the reader of stdout went away before the command was done (| head -1)",
}
"""Code -> when a command ends with it."""
