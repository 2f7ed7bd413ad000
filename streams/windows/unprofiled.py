"""Windows that were counted while no profile was known: they are dirty until one comes, and then restated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from driftline.streams.windows.resolution import DAY_MS

if TYPE_CHECKING:
    from driftline.streams.windows.shard import Shard

MAX_SPANS: Final = 1_024
"""Model versions times widths that are remembered of a deployment; past it the one met first is forgotten."""
MAX_MS: Final = 92 * DAY_MS
"""How far back windows are remembered: what is older stays as it was published until people replay it."""


@dataclass(slots=True)
class Unprofiled:
    """Spans of event time, ms, that hold windows counted without a profile, by model version and width."""

    spans: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def note(self, version: str, resolution: str, start_ms: int, end_ms: int) -> None:
        """Remember a window."""
        key = (version, resolution)
        since, until = self.spans.get(key, (start_ms, end_ms))
        if key not in self.spans and len(self.spans) >= MAX_SPANS:
            del self.spans[next(iter(self.spans))]
        until = max(until, end_ms)
        self.spans[key] = max(min(since, start_ms), until - MAX_MS), until

    def take(self, version: str, resolution: str, edge_ms: int) -> tuple[int, int] | None:
        """Forget what lies before a time, ms; gives the span of that, None for nothing."""
        since, until = self.spans[version, resolution]
        if edge_ms <= since:
            return None
        if edge_ms < until:
            self.spans[version, resolution] = edge_ms, until
        else:
            del self.spans[version, resolution]
        return since, min(edge_ms, until)

    def to_list(self) -> list[tuple[str, str, int, int]]:
        """Plain values for storing."""
        return [(*key, *span) for key, span in self.spans.items()]

    @classmethod
    def from_list(cls, stored: Iterable[tuple[str, str, int, int]]) -> Unprofiled:
        """The reverse of `to_list`."""
        return cls({(version, name): (since, until) for version, name, since, until in stored})


def ask_for_profiled(shard: Shard) -> None:
    """Have windows restated whose profile has come since they were counted: cold ones now, others once they are cold.

    Call it before a checkpoint is planned. What was asked for before is waited for: it is taken out as a whole.
    """
    for name, book in shard.books.items():
        if book.late.overflow is not None:
            continue
        for version, resolution in tuple(book.unprofiled.spans):
            edge_ms = book.cold_before(resolution, book.watermark_ms, shard.rules.hot_windows)
            if not shard.profiles.layout(name, version).digest:
                continue
            span = book.unprofiled.take(version, resolution, edge_ms)
            if span is not None:
                book.late.ask(*span, shard.position)
                shard.changed.add(name)
