"""Unread: the complaint of a topic that cannot be read, said now and then."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

SAY_S: Final = 60.0
"""Between two complaints of a topic."""


class Unread:
    """Says of a topic that it cannot be read, once a minute.

    Args:
        name: of the topic, with its prefix.
        clock_s: a monotonic clock, s.
    """

    def __init__(self, name: str, clock_s: Callable[[], float]) -> None:
        self._name, self._clock_s = name, clock_s
        self._said_s = -math.inf

    def say(self, why: str) -> None:
        """Say so, unless it was said a moment ago."""
        now_s = self._clock_s()
        if now_s - self._said_s >= SAY_S:
            self._said_s = now_s
            logger.warning("topic %s cannot be read, and what rests on it waits: %s", self._name, why)
