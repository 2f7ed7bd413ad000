"""Windows that were counted while no profile was known: they are dirty until one comes, and then restated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from driftline.streams.windows.late import MAX_ASKED
from driftline.streams.windows.resolution import DAY_MS

if TYPE_CHECKING:
    from driftline.streams.windows.counters import Counters
    from driftline.streams.windows.held import PaneKey
    from driftline.streams.windows.pane import Pane
    from driftline.streams.windows.shard import Shard

MAX_SPANS: Final = 1_024
"""Model versions times widths that are remembered of a deployment; past it the one met first is forgotten."""
MAX_MS: Final = 92 * DAY_MS
"""How far back windows are remembered: what is older stays as it was published until people replay it."""


@dataclass(slots=True)
class Unprofiled:
    """Windows counted without a profile.

    Attributes:
        spans: of event time, ms, that hold them, by model version and width.
        tried: hot ones that the archive did not hold as memory does, and the offset that they had absorbed.
    """

    spans: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    tried: dict[PaneKey, int] = field(default_factory=dict, compare=False)

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

    Call it before a checkpoint is planned. While many spans are asked for, others wait: each is asked for alone.
    """
    for name, book in shard.books.items():
        for version, resolution in tuple(book.unprofiled.spans):
            edge_ms = book.cold_before(resolution, book.watermark_ms, shard.rules.hot_windows)
            if len(book.late.asked) >= MAX_ASKED or not shard.profiles.layout(name, version).digest:
                continue
            span = book.unprofiled.take(version, resolution, edge_ms)
            if span is not None:
                book.late.ask(*span, shard.position)
                shard.changed.add(name)


def hot_unprofiled(shard: Shard, deployment: str) -> tuple[PaneKey, ...]:
    """Give the hot windows, open ones too, whose profile has come since they were counted, in order."""
    unprofiled = shard.book(deployment).unprofiled
    of = {
        (version, name)
        for version, name in unprofiled.spans
        if shard.profiles.layout(deployment, version).digest
        and name in shard.profiles.resolutions(deployment, version)
    }
    unprofiled.tried = {
        key: absorbed for key, absorbed in unprofiled.tried.items() if key in shard.index[deployment]
    }
    found = [
        key
        for key in (shard.index[deployment] if of else ())
        if (key.version, key.resolution) in of
        and not shard.is_cold(key)
        and not (pane := shard.look(key)).counters.layout.digest
        and _is_worth_trying(unprofiled.tried.get(key), pane, shard.closed_ms[deployment])
    ]
    return tuple(sorted(found, key=lambda key: (key.start_ms, key.resolution, key.version, key.slot)))


def begin_tails(shard: Shard, keys: Iterable[PaneKey]) -> None:
    """Count what comes from now on for some hot windows with their profile too, while the archive counts the rest."""
    for key in keys:
        pane = shard.pane(key)
        if pane is not None:
            shard.fresh_bytes += pane.begin_tail(shard.profiles.layout(key.deployment, key.version))


def take_profiled(shard: Shard, key: PaneKey, counters: Counters) -> None:
    """Put counters in the place of those of a hot window without a profile, if they and its tail hold the same rows.

    They do not where the archive lacks some, or the tail was let go for want of room: see `_is_worth_trying`.
    """
    pane = shard.pane(key)
    if pane is None or pane.counters.layout.digest:
        return
    tail, pane.tail = pane.tail, None
    if tail is not None and tail.counters.layout.digest == counters.layout.digest:
        counters.merge(tail.counters)
    mine, theirs = ((one.rows, one.first_ms, one.last_ms) for one in (pane.counters, counters))
    if mine == theirs and counters.layout.digest:
        pane.counters, pane.absorbed, pane.changed = counters, shard.position, True
        shard.unpublished.add(key)
    else:
        shard.book(key.deployment).unprofiled.tried[key] = pane.absorbed


def _is_worth_trying(tried: int | None, pane: Pane, closed_ms: int) -> bool:
    """Whether a window may have become what the archive holds; an open one is tried once, and again once closed."""
    return tried is None or (pane.end_ms <= closed_ms and tried != pane.absorbed)
