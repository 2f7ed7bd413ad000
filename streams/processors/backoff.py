"""Backoff: deployments whose cold windows could not be counted again wait longer each time, up to an hour."""

from __future__ import annotations

from typing import Final, NamedTuple

FIRST_S: Final = 30.0
MOST_S: Final = 3_600.0
NAMES_MAX: Final = 10_000
"""Deployments that are remembered; past it the one that failed longest ago is tried again at once."""


class _Failed(NamedTuple):
    cause: type[Exception]
    wait_s: float
    until_s: float


class Backoff:
    """Exponential waiting by deployment; times are those of one monotonic clock, s."""

    def __init__(self) -> None:
        self._failed: dict[str, _Failed] = {}

    def failed(self, name: str, error: Exception, now_s: float) -> bool:
        """Let a deployment wait; gives whether that is news: it did not fail before, or not of this cause."""
        before = self._failed.pop(name, None)
        wait_s = FIRST_S if before is None else min(2 * before.wait_s, MOST_S)
        while len(self._failed) >= NAMES_MAX:
            del self._failed[next(iter(self._failed))]
        self._failed[name] = _Failed(type(error), wait_s, now_s + wait_s)
        return before is None or before.cause is not type(error)

    def succeeded(self, name: str) -> None:
        """Forget how often a deployment failed."""
        self._failed.pop(name, None)

    def waits(self, name: str, now_s: float) -> bool:
        """Whether a deployment is not to be tried now."""
        held = self._failed.get(name)
        return held is not None and now_s < held.until_s

    def waiting(self, now_s: float) -> frozenset[str]:
        """All deployments that are not to be tried now."""
        return frozenset(name for name, held in self._failed.items() if now_s < held.until_s)
