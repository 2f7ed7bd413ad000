"""Rejoin: performance windows of one deployment counted again from predictions and labels, by the live join's parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.streams.join.due import Place, due_windows, result_of, waited_ms
from driftline.streams.join.elsewhere import Elsewhere
from driftline.streams.join.hot import Hot
from driftline.streams.join.kept import CellKey
from driftline.streams.join.keys import pairs
from driftline.streams.join.labels import WITHDRAWN, Labels
from driftline.streams.join.maturity import observed_ms
from driftline.streams.join.outcomes import Outcomes
from driftline.streams.join.pairing import true_and_said
from driftline.streams.join.seals import Seals
from driftline.streams.join.unbinned import Unbinned
from driftline.streams.replay.errors import ReplayError
from driftline.streams.windows.book import NEVER, WIDTHS_MS
from driftline.streams.windows.kernel import LATENCY_BINS
from driftline.streams.windows.resolution import DAY_MS, MERGED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from driftline.schemas.columns import LabelColumns, PredictionColumns
    from driftline.schemas.window import WindowResult
    from driftline.streams.join.terms import Book, Terms
    from driftline.streams.replay.choice import Choice
    from driftline.streams.windows.window import Window

NONE_COLD: Final = 1 << 30
"""So many windows take facts that none is ever cold."""
HELD_BYTES: Final = 2 << 30
"""Predictions and labels in memory, before a replay of so many is refused; restatement reads as much again ahead."""


class Rejoin:
    """Holds predictions against labels, whenever either came, and gives the results of a choice of windows.

    What it holds is one deployment as the accuracy worker holds it, with no window cold: the same cells, labels in
    force, outcomes and figures.

    Args:
        deployment: its name.
        place: where the results say they were counted.
        choice: which windows to count; those given are `told`.
        book: by what versions are counted and judged.
        hot_windows: closed windows that took facts when all of it came; by that an id is barred in another cell.
        held_bytes: cap of the facts in memory.
    """

    def __init__(
        self,
        deployment: str,
        place: Place,
        choice: Choice,
        book: Book,
        hot_windows: int,
        held_bytes: int = HELD_BYTES,
    ) -> None:
        self.hot = Hot(deployment)
        self.choice = choice
        self._place, self._book, self._hot_windows, self._held_bytes = place, book, hot_windows, held_bytes
        self._seals = Seals()
        self._merges: set[Window] = set()
        self._given: set[Window] = set()
        self.told: set[Window] = set()

    def take(
        self, offset: int | NDArray[np.int64], cols: PredictionColumns, reached_ms: int | NDArray[np.int64]
    ) -> None:
        """Take predictions in, in any order; an id counts where it came first.

        Args:
            offset: where their record, or that of each, lies in the log.
            cols: they.
            reached_ms: the watermark before that, ms.

        Raises:
            ReplayError: there are more than memory is allowed for.
        """
        name, version = self.hot.name, cols.model_version
        widths = self._book.resolutions(name, version)
        width = WIDTHS_MS[widths[-1]]
        bars_ms = np.maximum(reached_ms, NEVER // 2) // width * width - self._hot_windows * width
        book = self._book
        self.hot.fold(
            cols, offset, lambda end: book.terms(name, version, end).scheme, widths, NONE_COLD, bars_ms
        )
        self._check()

    def take_duplicates(self, offsets: NDArray[np.int64] | int, cols: PredictionColumns) -> None:
        """Take predictions that are not to be counted, but may have come before those that are; raises as `take`."""
        self.hot.repeats.elsewhere.add(offsets, cols)
        self._check()

    def take_labels(self, offset: int, cols: LabelColumns) -> None:
        """Take labels in, a sealed batch once; raises as `take`."""
        if self._seals.is_new(offset, cols.identity, 0):
            self.hot.add_labels(cols, offset, 0)
        self._check()

    def results(
        self, watermark_ms: int, now_ms: int, *, before_ms: int | None = None
    ) -> Iterator[WindowResult]:
        """Give the results of all windows whose facts were taken in since the last call, and let the facts go.

        Args:
            watermark_ms: what ends before it is final.
            now_ms: wall-clock time, ms.
            before_ms: no facts of weeks and months that end before it are to come; None when none are to come at all.
        """
        hot = self.hot
        hot.watermark_ms = watermark_ms
        changed = hot.settle()
        versions = {key.version for key in [*hot.cells, *hot.days]}
        widths = {version: self._book.resolutions(hot.name, version) for version in versions}
        waits_ms = self._waits_ms()

        def horizon_ms(window: Window) -> int | None:
            day = CellKey(window.version, window.slot, window.start_ms // DAY_MS * DAY_MS)
            is_merged = window.resolution in MERGED
            return self._terms(window).horizon_ms(
                waited_ms(hot, None, window) if is_merged else waits_ms.get(day)
            )

        place = self._place._replace(now_ms=now_ms)
        for window in due_windows(hot, changed, widths, NONE_COLD, horizon_ms):
            if window.resolution in MERGED:
                self._merges |= {window} - self._given
            elif self.choice.has(window):
                self.told.add(window)
                yield result_of(hot, window, self._terms(window), place, horizon_ms(window))
        hot.drop(list(hot.cells))
        hot.labels, hot.repeats.elsewhere = Labels(), Elsewhere()
        for window in sorted(self._merges):
            if before_ms is None or window.end_ms <= before_ms:
                self._merges.discard(window)
                self._given.add(window)
                if self.choice.has(window):
                    yield result_of(hot, window, self._terms(window), place, horizon_ms(window))
        hot.said.clear()

    def emptied(self, window: Window) -> WindowResult:
        """Give the result of a window that holds nothing; call it after `results`."""
        terms = self._terms(window)
        if window.resolution == "1d":
            self.hot.days.put(
                CellKey(window.version, window.slot, window.start_ms), Outcomes.of(terms.scheme)
            )
        return result_of(self.hot, window, terms, self._place, terms.horizon_ms(None))

    def unbinned(self, window: Window) -> Unbinned:
        """Give the rows of a window of a version with a profile, with their labels; call `settle` of `hot` before.

        Of rows that were read by other terms than hold at the window's end, with other scores, only the number.
        """
        scheme, labels, texts = self._terms(window).scheme, self.hot.labels.rows, self.hot.vocabulary.texts
        if scheme is None:
            raise ValueError(f"version {window.version!r} has no profile")
        found = Unbinned(scheme)
        for key, cell in self.hot.cells.items():
            if (key.version, key.slot) != (window.version, window.slot) or cell.scheme is None:
                continue
            rows, read = cell.read_by(scheme, cell.within(window.start_ms, window.end_ms))
            mine, theirs = pairs(rows.key, rows.rest, labels.key, labels.rest)
            says = labels.code[theirs] != WITHDRAWN
            mine, theirs = mine[says], theirs[says]
            if read is None or read.columns != scheme.columns:
                found.add_unlabelled(len(rows))
                continue
            found.add_unlabelled(len(rows) - len(mine))
            answered = rows.take(mine)
            truth, said = true_and_said(answered, labels.take(theirs), scheme, texts)
            found.add_answers(truth, said, answered.scores.astype(np.float64))
        return found

    def _waits_ms(self) -> dict[CellKey, int | None]:
        """How long the labels of each day took, ms: the live worker has let go of what else it knew of them."""
        sums: dict[CellKey, Outcomes] = {}
        for key, outcomes in self.hot.outcomes.all().items():
            day = key._replace(start_ms=key.start_ms // DAY_MS * DAY_MS)
            total = sums.setdefault(day, Outcomes("", delays=np.zeros(LATENCY_BINS, np.int64)))
            total.predictions += outcomes.predictions
            if total.delays is not None and outcomes.delays is not None:
                total.delays += outcomes.delays
        return {
            day: None if one.delays is None else observed_ms(one.delays, one.predictions)
            for day, one in sums.items()
        }

    def _terms(self, window: Window) -> Terms:
        return self._book.terms(self.hot.name, window.version, window.end_ms)

    def _check(self) -> None:
        if self.hot.nbytes + self.hot.repeats.elsewhere.nbytes > self._held_bytes:
            raise too_much(self.hot.name, self._held_bytes)


def too_much(deployment: str, held_bytes: int) -> ReplayError:
    """Give the error about facts that take more than memory is allowed for."""
    return ReplayError(
        f"predictions and labels of deployment {deployment!r} take more than "
        f"{held_bytes >> 20:,} MiB: replay a shorter span, or day by day with --source archive"
    )
