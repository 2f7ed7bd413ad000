"""Hot: what is held of one deployment so that a label, whenever it comes, finds its prediction."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from driftline.streams.join.cell import Cell, cell_width
from driftline.streams.join.figures import Estimates
from driftline.streams.join.kept import CellKey, Kept
from driftline.streams.join.keys import pairs
from driftline.streams.join.labels import LabelRows, Labels, label_rows
from driftline.streams.join.maturity import observed_ms
from driftline.streams.join.pairing import outcomes_of, truths_of
from driftline.streams.join.repeats import Repeats
from driftline.streams.join.vocabulary import Vocabulary
from driftline.streams.windows.book import NEVER, WIDTHS_MS, cold_before
from driftline.streams.windows.gaps import Gaps, Now
from driftline.streams.windows.kernel import LATENCY_BINS
from driftline.streams.windows.late import LateDays
from driftline.streams.windows.resolution import DAY_MS, MERGED, Resolution, rows_by_start
from driftline.streams.windows.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from driftline.schemas.columns import LabelColumns, PredictionColumns
    from driftline.streams.join.outcomes import Outcomes
    from driftline.streams.join.scheme import Scheme

WAIT_S: Final = 86_400
"""How long a label waits in memory for its prediction, in the broker's time; the archive keeps it for ever."""

HOT_BYTES: Final = 22_000
"""What a deployment takes beside its facts: most of it the sketch of its labels' delays."""
CELL_BYTES: Final = 2_200
"""What a cell takes beside its rows: the heads of its columns, and its place among the outcomes."""
DAY_BYTES: Final = 500
"""What a day that is kept takes beside its outcomes."""
SAID_BYTES: Final = 300
"""What a window takes of which is known what was said."""


@dataclass(slots=True)
class Hot:
    """One deployment.

    Attributes:
        name: its name.
        watermark_ms: no event before this time is expected any more.
        newest_ms: the greatest event time seen.
        heard_ms: the broker's time of its last prediction.
        closed_ms: the watermark when windows were last published.
        floors_ms: per resolution, windows that start before it were cold when they were last published, or let go at
            the byte cap: they stay cold, whatever number of them is to be hot now.
        days_ms: the first day that was kept for weeks and months at the last publication.
        cells: the predictions of windows that still take facts.
        outcomes: of each cell, as of the last `settle`.
        days: of each whole day that was published, for the merges to weeks and months.
        delays: int64 (LATENCY_BINS,), the sketch of how long the labels of the cells took, s.
        said: of each closed window that is held, whether it was published as provisional: time alone may change that;
            None of one that is due whatever was said.
        stored_said: what is stored of that.
        estimates: of windows published lately.
        repeats: ids that were predicted again in another cell.
        late: predictions that came when a window of theirs was cold.
        gaps: windows that not all facts are in memory of.
        late_of: versions and slots whose late predictions are others than was published last.
        fresh: labels that came into force at the last `settle`, until `close`.
        is_restored: whether it was taken up from a stored state and nothing was published since.
        facts_bytes: bytes of the predictions and labels held.
    """

    name: str
    watermark_ms: int = NEVER
    newest_ms: int = NEVER
    heard_ms: int = 0
    closed_ms: int = NEVER
    floors_ms: dict[str, int] = field(default_factory=dict)
    days_ms: int = NEVER
    cells: dict[CellKey, Cell] = field(default_factory=dict)
    outcomes: Kept = field(default_factory=Kept)
    days: Kept = field(default_factory=Kept)
    delays: NDArray[np.int64] = field(default_factory=lambda: np.zeros(LATENCY_BINS, np.int64))
    said: dict[Window, bool | None] = field(default_factory=dict)
    stored_said: bytes = b""
    estimates: Estimates = field(default_factory=Estimates)
    labels: Labels = field(default_factory=Labels)
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    repeats: Repeats = field(default_factory=Repeats)
    late: LateDays = field(default_factory=LateDays)
    gaps: Gaps = field(default_factory=Gaps)
    late_of: set[tuple[str, str]] = field(default_factory=set)
    fresh: LabelRows = field(default_factory=LabelRows.empty)
    is_restored: bool = False
    facts_bytes: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes held: facts, and what they came to, with what Python takes for each of them."""
        counted = self.outcomes.nbytes + self.days.nbytes + self.estimates.nbytes
        told = CELL_BYTES * len(self.cells) + DAY_BYTES * len(self.days) + SAID_BYTES * len(self.said)
        return HOT_BYTES + self.facts_bytes + counted + told

    @property
    def observed_ms(self) -> int | None:
        """How long the labels of the cells took so far, ms; None while too few of them are there to tell."""
        return observed_ms(self.delays, sum(self.outcomes.counts(key)[0] for key in self.outcomes))

    def cold_before(self, resolution: str, watermark_ms: int, hot_windows: int) -> int:
        """Windows of a resolution that start before this time (ms) are cold when the watermark stands there."""
        return cold_before(self.floors_ms, resolution, watermark_ms, hot_windows)

    def kept_from_ms(self, kept_days: int) -> int:
        """The first day, ms, that is kept for weeks and months since the last publication."""
        return max(self.days_ms, self.closed_ms // DAY_MS * DAY_MS - kept_days * DAY_MS)

    def fold(
        self,
        cols: PredictionColumns,
        offset: int | NDArray[np.int64],
        scheme_at: Callable[[int], Scheme | None],
        resolutions: tuple[str, ...],
        hot_windows: int,
        barring_ms: int | NDArray[np.int64] | None = None,
    ) -> int:
        """Take in a batch of predictions; returns how many rows came too late, all their windows being cold.

        Args:
            cols: the batch.
            offset: where its record, or that of each row, lies in the log.
            scheme_at: what is read of a cell, by its end, ms: a batch may lie on both sides of a change of settings.
            resolutions: those of its version.
            hot_windows: closed windows that still take facts.
            barring_ms: cells that begin before it do not bar an id; None for those that take no facts.
        """
        widest, width = resolutions[-1], cell_width(resolutions)
        starts = cols.times_ms // WIDTHS_MS[widest] * WIDTHS_MS[widest]
        cold_ms = self.cold_before(widest, self.watermark_ms, hot_windows)
        cold = starts < cold_ms
        for start, rows in rows_by_start(cols.times_ms // width * width, ~cold):
            key = CellKey(cols.model_version, cols.slot, start)
            cell = self.cells.get(key)
            if cell is None:
                cell = self.cells[key] = Cell(start, int(np.min(offset)), scheme_at(start + width))
            bars_ms = cold_ms if barring_ms is None else barring_ms
            self.facts_bytes += cell.add(cols, rows, self.vocabulary, offset, bars_ms)
        return int(cold.sum())

    def advance(self, cols: PredictionColumns, bound_ms: int, heard_ms: int) -> None:
        """Move the watermark past a batch."""
        newest = cols.span_ms[1]
        self.newest_ms = max(self.newest_ms, newest)
        self.watermark_ms = max(self.watermark_ms, newest - bound_ms)
        self.heard_ms = max(self.heard_ms, heard_ms)

    def add_labels(self, cols: LabelColumns, offset: int, heard_ms: int) -> None:
        """Take in a batch of labels."""
        rows = label_rows(cols, offset, heard_ms, self.vocabulary)
        self.facts_bytes += rows.nbytes
        self.labels.add(rows)

    def settle(self) -> set[CellKey]:
        """Put in force what has come and count what it changes; returns the cells whose outcomes are others."""
        before, after = self.labels.settle()
        self.fresh = after
        changed: set[CellKey] = set()
        texts = self.vocabulary.texts
        news = {name: one for name, cell in self.cells.items() if (one := cell.fresh()) is not None}
        firsts = self.repeats.first_of(news, self.cells)
        for name, cell in self.cells.items():
            # What was said of predictions held goes out, and what is said now comes in: both are exact sums.
            held = pairs(cell.rows.key, cell.rows.rest, after.key, after.rest)[0]
            if len(held):
                rows = cell.rows.take(held)
                self._count(name, truths_of(cell.start_ms, rows, after, cell.scheme, texts))
                self._count(name, truths_of(cell.start_ms, rows, before, cell.scheme, texts), -1)
                changed.add(name)
            if name in firsts:
                rows = firsts[name]
                cell.put(rows)
                self._count(name, outcomes_of(cell.start_ms, rows, self.labels.rows, cell.scheme, texts))
                changed.add(name)
        self._weigh()
        return changed

    def adopt(self, key: CellKey, scheme: Scheme | None) -> bool:
        """Count a cell by other terms than it was begun with; call before `settle`.

        Returns:
            Whether it was counted again. Not where the terms are the same, nor where they read other scores or
            segments than the cell kept: until it is read again such a cell counts in windows as far as it goes.
        """
        cell = self.cells[key]
        held = cell.scheme
        if held is None or scheme is None or held.identity == scheme.identity:
            return False
        if (held.columns, held.values) != (scheme.columns, scheme.values):
            return False
        cell.scheme = scheme
        self._forget_outcomes(key)
        rows, labels = cell.rows, self.labels.rows
        self._count(key, outcomes_of(cell.start_ms, rows, labels, scheme, self.vocabulary.texts))
        return True

    def part(self, key: CellKey, start_ms: int, width_ms: int, scheme: Scheme | None) -> Outcomes:
        """Count a window that is narrower than its cell, without segments; call `settle` before."""
        cell = self.cells[key]
        rows, found = cell.read_by(scheme, cell.within(start_ms, start_ms + width_ms))
        found = None if found is None else replace(found, segments=())
        return outcomes_of(cell.start_ms, rows, self.labels.rows, found, self.vocabulary.texts)

    def counted_by(self, key: CellKey, scheme: Scheme | None) -> Outcomes | None:
        """Give the outcomes of a cell by the terms of a window around it, as far as it has kept what they read."""
        identity, cell = "" if scheme is None else scheme.identity, self.cells.get(key)
        if cell is None or self.outcomes.digest(key) == identity:
            return self.outcomes.get(key)
        rows, found = cell.read_by(scheme, cell.rows)
        return outcomes_of(cell.start_ms, rows, self.labels.rows, found, self.vocabulary.texts)

    def starts_in(self, key: CellKey, width_ms: int) -> list[int]:
        """Give the starts of the windows of that width in a cell that have rows."""
        cell = self.cells[key]
        parts = np.unique(cell.rows.after_ms // width_ms).tolist()
        return [cell.start_ms + part * width_ms for part in parts]

    def serves(self, key: CellKey, width_ms: int) -> bool:
        """Whether windows of that width can be counted from a cell; not from a day that was begun as a whole."""
        after_ms = self.cells[key].rows.after_ms
        return width_ms >= DAY_MS or not len(after_ms) or int(after_ms.max()) < WIDTHS_MS["1h"]

    def drop(self, keys: Collection[CellKey]) -> None:
        """Let go of cells that take no facts any more; call `settle` before."""
        for key in keys:
            self._forget_outcomes(key)
            del self.cells[key]
        self.repeats.drop(keys)
        self._weigh()

    def close(self) -> None:
        """Pack what was counted, once it was published."""
        self.outcomes.close()
        self.late_of.clear()
        self.fresh = LabelRows.empty()

    def look_at_gaps(self, offset: int, heard_s: int, cold_before: Callable[[str], int]) -> bool:
        """Ask the archive for gaps that are cold; gives whether it has filled some, whose weeks and months are due."""
        filled = self.gaps.ask(self.late, Now(offset, self.newest_ms, heard_s), cold_before)
        for gap in filled:
            for day in self.days:
                for name in MERGED:
                    window = Window(day.version, day.slot, name, Resolution(name).start(day.start_ms))
                    self.said |= {window: None} if gap.silences(window) else {}
        self.gaps.forget({key.version for key in [*self.cells, *self.days]}, self.newest_ms)
        return bool(filled)

    def trim(self, now_s: int, wait_s: int = WAIT_S) -> int | None:
        """Forget labels that no prediction in memory has and that have waited long enough; call `settle` before.

        Args:
            now_s: the broker's time of the newest label of any deployment.
            wait_s: how long a label waits.

        Returns:
            The broker's time of the newest of them, s; None when there were none.
        """
        rows = self.labels.rows
        wanted = rows.heard_s.astype(np.int64) > now_s - wait_s
        if wanted.all():
            return None
        for cell in self.cells.values():
            wanted[pairs(cell.rows.key, cell.rows.rest, rows.key, rows.rest)[1]] = True
        newest_s = None if wanted.all() else int(rows.heard_s[~wanted].max())
        self.labels.keep(wanted)
        self._weigh()
        return newest_s

    def _forget_outcomes(self, key: CellKey) -> None:
        gone = self.outcomes.get(key)
        if gone is not None and gone.delays is not None:
            self.delays -= gone.delays
        self.outcomes.drop(key)

    def _count(self, key: CellKey, part: Outcomes, sign: int = 1) -> None:
        self.outcomes.opened(key, self.cells[key].scheme).merge(part, sign)
        if part.delays is not None:
            self.delays += sign * part.delays

    def _weigh(self) -> None:
        cells = sum(cell.nbytes for cell in self.cells.values())
        self.facts_bytes = self.labels.nbytes + self.repeats.nbytes + cells
