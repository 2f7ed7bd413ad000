"""Run: one replay, from a source of facts to window results on the topic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Final

from driftline.streams.join.due import Place
from driftline.streams.replay.choice import Span
from driftline.streams.replay.recount import Recount
from driftline.streams.replay.rejoin import Rejoin
from driftline.streams.replay.steps import Aside, Rows, Truth, Whole
from driftline.streams.windows.book import NEVER, WIDTHS_MS, closed_by_clock
from driftline.streams.windows.rules import Rules

if TYPE_CHECKING:
    from driftline.schemas.window import WindowResult
    from driftline.streams.join.terms import Book
    from driftline.streams.replay.books import ReplayProfiles
    from driftline.streams.replay.steps import Source

LIVE: Final = "live"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked.

    Attributes:
        deployment: its name.
        since_ms, until_ms: windows that lie wholly between these event times are counted again.
        run: name of the windows; `LIVE` puts them in place of the live ones.
        resolution: the only one wanted; None for all.
        rules: what windows are judged by.
    """

    deployment: str
    since_ms: int
    until_ms: int
    run: str
    resolution: str | None = None
    rules: Rules = field(default_factory=Rules)


@dataclass(slots=True)
class Summary:
    """What a replay has read and given."""

    predictions: int = 0
    labels: int = 0
    windows: Counter[str] = field(default_factory=Counter)
    """Results by role."""


def results(
    source: Source,
    request: Request,
    profiles: ReplayProfiles,
    book: Book,
    now_ms: int,
    summary: Summary,
    told: Callable[[int], None] = lambda _read: None,
) -> Iterator[WindowResult]:
    """Read a source to its end and give the results, each as soon as its facts are whole.

    Args:
        source: where facts are read, opened.
        request: what is asked.
        profiles: what windows are measured against.
        book: by what versions are held against truth.
        now_ms: wall-clock time, ms: what it has closed is final, and of two replays of one name the later holds.
        summary: filled meanwhile.
        told: called with how much of `source.total` was read.

    Raises:
        ReplayError: there is more than memory is allowed for.
        DriftlineError: the source is away.
    """
    work = _Work(source, request, profiles, book, now_ms, summary)
    for read, step in source.steps():
        told(read)
        if isinstance(step, Whole):
            yield from work.give(step)
        elif step is not None:
            work.take(step)


class _Work:
    """Both counts of one replay."""

    def __init__(
        self,
        source: Source,
        request: Request,
        profiles: ReplayProfiles,
        book: Book,
        now_ms: int,
        summary: Summary,
    ) -> None:
        name, span = request.deployment, Span(request.since_ms, request.until_ms)
        predictions, labels = source.reached
        place = Place(source.partition, predictions + labels + 1, now_ms)
        self.request, self.now_ms, self.summary = request, now_ms, summary
        self.recount = Recount(name, source.partition, predictions, span, profiles, request.rules)
        self.rejoin = Rejoin(name, place, span, book, request.rules.hot_windows)

    def take(self, step: Rows | Aside | Truth) -> None:
        """Count facts."""
        if isinstance(step, Aside):
            self.rejoin.take_duplicates(step.offsets, step.cols)
            return
        if isinstance(step, Truth):
            self.summary.labels += step.cols.rows
            self.rejoin.take_labels(step.offset, step.cols)
            return
        if step.to_count:
            self.summary.predictions += step.cols.rows
            self.recount.take(step.cols, step.heard_ms)
        if step.to_join:
            self.rejoin.take(step.offset, step.cols, step.reached_ms)

    def give(self, step: Whole) -> Iterator[WindowResult]:
        """Give the results that are wanted of what has come; without a label there is no performance."""
        mark = watermark(step.newest_ms, self.now_ms, self.request.rules.out_of_orderness_ms)
        parts = [self.recount.results(mark, self.now_ms, before_ms=step.before_ms)]
        if self.summary.labels:
            parts.append(self.rejoin.results(mark, self.now_ms, before_ms=step.before_ms))
        for result in chain.from_iterable(parts):
            # Of a window that is still open the live worker has the last word.
            is_whole = self.request.run != LIVE or result.final
            if is_whole and self.request.resolution in (None, result.resolution):
                self.summary.windows[result.role] += 1
                yield named(result, self.request.run, self.now_ms)


def named(result: WindowResult, run: str, now_ms: int) -> WindowResult:
    """Give a result its run: beside the live ones the later replay holds, among them what has absorbed more."""
    if run == LIVE:
        return replace(result, restated=True)
    return replace(result, run=run, version=2 * now_ms + int(result.final))


def watermark(newest_ms: int, now_ms: int, bound_ms: int) -> int:
    """Give the watermark of a stream read to its end: as its events say, or as the clock has closed windows since."""
    if newest_ms == NEVER:
        return NEVER
    return max(newest_ms - bound_ms, closed_by_clock(newest_ms, WIDTHS_MS, now_ms - bound_ms))
