"""What goes wrong, said in the application's log: each kind once a minute, with how often it happened in between."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import Final

LOGGER: Final = logging.getLogger("driftline.emit")
INTERVAL_S: Final = 60.0


class Complaints:
    """Says a sentence of each kind at most once in `INTERVAL_S`; kinds are a closed set, so the memory is bounded."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}
        self._silent: dict[str, int] = {}

    def say(self, kind: str, sentence: str, *, rows: int = 1, now_s: float | None = None) -> bool:
        """Log the sentence unless the kind was said less than a minute ago; returns whether it was logged."""
        now_s = time.monotonic() if now_s is None else now_s
        said = self._said.get(kind)
        if said is not None and now_s - said < INTERVAL_S:
            self._silent[kind] = self._silent.get(kind, 0) + rows
            return False
        self._said[kind] = now_s
        more = self._silent.pop(kind, 0)
        # A log handler of the application may raise: the rows are counted all the same.
        with suppress(Exception):
            LOGGER.warning("%s%s", sentence, f" ({more:,} more since the last such line)" if more else "")
        return True
