"""Window: one window of one model version in one slot, by name."""

from __future__ import annotations

from typing import NamedTuple

from driftline.streams.windows.resolution import Resolution


class Window(NamedTuple):
    """One window of one model version in one slot."""

    version: str
    slot: str
    resolution: str
    start_ms: int

    @property
    def end_ms(self) -> int:
        """Its end, exclusive, ms."""
        return Resolution(self.resolution).end(self.start_ms)
