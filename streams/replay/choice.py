"""Choice: which windows are counted again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from driftline.streams.windows.resolution import Resolution
from driftline.streams.windows.window import Window

Times = NDArray[np.int64]


class Choice(Protocol):
    """Tells windows that are wanted from others."""

    def has(self, window: Window) -> bool:
        """Whether a window is wanted."""

    def mask(self, version: str, slot: str, resolution: str, starts: Times) -> NDArray[np.bool_]:
        """Which of the windows that start at these times, ms, are wanted; bool (n,)."""


@dataclass(frozen=True, slots=True)
class Span:
    """The windows that lie wholly in a span of event time, ms since 1970, `until_ms` exclusive.

    A window that the span cuts would be counted in part, and no part of a window is published.
    """

    since_ms: int
    until_ms: int

    def has(self, window: Window) -> bool:
        """Whether a window lies wholly in the span."""
        return self.since_ms <= window.start_ms and window.end_ms <= self.until_ms

    def mask(self, _version: str, _slot: str, resolution: str, starts: Times) -> NDArray[np.bool_]:
        """Which of the windows that start at these times lie wholly in the span."""
        width = Resolution(resolution).end(0)
        return np.asarray((starts >= self.since_ms) & (starts + width <= self.until_ms))


@dataclass(slots=True)
class Listed:
    """Windows named one by one."""

    windows: set[Window] = field(default_factory=set)
    _starts: dict[tuple[str, str, str], Times] = field(default_factory=dict)

    @classmethod
    def of(cls, windows: Iterable[Window]) -> Listed:
        """Choose these windows."""
        found = cls(set(windows))
        by_place: dict[tuple[str, str, str], list[int]] = {}
        for window in found.windows:
            by_place.setdefault(window[:3], []).append(window.start_ms)
        found._starts = {place: np.array(starts, np.int64) for place, starts in by_place.items()}
        return found

    def has(self, window: Window) -> bool:
        """Whether a window is named."""
        return window in self.windows

    def mask(self, version: str, slot: str, resolution: str, starts: Times) -> NDArray[np.bool_]:
        """Which of the windows that start at these times are named."""
        mine = self._starts.get((version, slot, resolution))
        return np.zeros(len(starts), np.bool_) if mine is None else np.isin(starts, mine)
