"""What fails again and again, in the log of a worker: each cause once a minute, with how often it did in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.schemas.errors import DriftlineError

if TYPE_CHECKING:
    import logging

INTERVAL_S: Final = 60.0
CAUSES_MAX: Final = 1_000
"""Causes that are remembered; past it the one said longest ago is forgotten, and said anew."""
SAID_CHARS: Final = 500


class Complaints:
    """Says each cause at most once in `INTERVAL_S`; a cause is what failed, and the type of the error."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, type[Exception]], tuple[float, int]] = {}

    def say(
        self, logger: logging.Logger, what: str, error: Exception, now_s: float, *, instance: str = ""
    ) -> bool:
        """Log a warning unless its cause was said less than a minute ago.

        Args:
            logger: where to.
            what: what failed, with what follows from it.
            error: why; one that nobody foresaw is logged with its trace the first time.
            now_s: the time, s.
            instance: which one of `what` it was this time; those of one cause are said as one.

        Returns:
            Whether it was logged; what was not is counted, and told with the next one of its cause.
        """
        cause = what, type(error)
        said_s, silent = self._said.pop(cause, (None, 0))
        is_due = said_s is None or now_s - said_s >= INTERVAL_S
        while len(self._said) >= CAUSES_MAX:
            del self._said[next(iter(self._said))]
        if said_s is not None and not is_due:
            self._said[cause] = said_s, silent + 1
            return False
        self._said[cause] = now_s, 0
        known = isinstance(error, DriftlineError)
        why = str(error) if known else f"{type(error).__name__}: {' '.join(str(error).split())[:SAID_CHARS]}"
        which = f" ({instance})" if instance else ""
        more = f" ({silent:,} more since the last such line)" if silent else ""
        trace = None if known or said_s is not None else error
        logger.warning("%s%s: %s%s", what, which, why, more, exc_info=trace)
        return True


def say_once(logger: logging.Logger, what: str, error: Exception) -> None:
    """Log a warning now; arguments as those of `Complaints.say`."""
    Complaints().say(logger, what, error, 0.0)
