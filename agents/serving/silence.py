"""Silence: how long nothing was heard; a restart is no news, and neither is what came of other deployments."""

from __future__ import annotations

import time


class Silence:
    """Seconds since the last news.

    Args:
        before_s: how long there was none when this process began.
    """

    def __init__(self, before_s: float) -> None:
        self._since_s = time.monotonic() - before_s
        self._behind_s: dict[str, float] = {}

    def end(self) -> None:
        """All that is committed was read a moment ago."""
        self._since_s = time.monotonic()

    def whole_s(self) -> float:
        """How long nothing was heard at all."""
        return time.monotonic() - self._since_s

    def of_s(self, deployment: str, *, is_behind: bool) -> float:
        """How long nothing was heard of a deployment.

        Args:
            deployment: which.
            is_behind: whether the audit tells of a state of it that never came.
        """
        now_s = time.monotonic()
        if not is_behind:
            self._behind_s.pop(deployment, None)
            return now_s - self._since_s
        return max(now_s - self._since_s, now_s - self._behind_s.setdefault(deployment, now_s))
