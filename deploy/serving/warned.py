"""Warned: what libraries warn of, in the log of the agent once each, however many requests bring it about.

scikit-learn resets the warning filters of the whole process for a moment in each prediction. Two threads that predict
at once leave them empty for ever, and from then on every request warns.
"""

from __future__ import annotations

import logging
from typing import Final

LOGGER: Final = "py.warnings"
MOST: Final = 1_000


class Once(logging.Filter):
    """Lets a text pass once; past a thousand texts, no new ones."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it was not said yet."""
        text = record.getMessage()
        if text in self._said or len(self._said) >= MOST:
            return False
        self._said.add(text)
        return True


def warn_once() -> None:
    """Send warnings of this process to its log, each once."""
    logging.captureWarnings(capture=True)
    logger = logging.getLogger(LOGGER)
    if not any(isinstance(one, Once) for one in logger.filters):
        logger.addFilter(Once())
