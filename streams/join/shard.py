"""One partition's share of the join: its deployments, both positions, and what a restart needs.

The state that is stored is small: positions, watermarks, and the first offsets of what windows that still take facts
were made from. Facts themselves are read again from the log. So what is counted is a function of the facts alone,
wherever a crash cut the work: a prediction at or below the stored position counts iff its window was not cold there,
and one that was not cold then was not cold when it came.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from driftline.streams.complaints import Complaints
from driftline.streams.join.cell import cell_width, serves
from driftline.streams.join.day_key import day_key
from driftline.streams.join.dirty import Offsets, count_late, missed
from driftline.streams.join.due import Place, due_windows, result_of, stands, waited_ms
from driftline.streams.join.hot import Hot
from driftline.streams.join.kept import CellKey
from driftline.streams.join.said import said_records
from driftline.streams.join.seals import SealBook
from driftline.streams.join.shard_row import ROW_KEY, hot_parts, write_row
from driftline.streams.join.shed import let_go, shed
from driftline.streams.join.stored_state import take_up_state
from driftline.streams.windows.book import NEVER, WIDTHS_MS, closed_by_clock
from driftline.streams.windows.gaps import Gap
from driftline.streams.windows.resolution import MERGED
from driftline.streams.windows.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from driftline.schemas.columns import LabelColumns, PredictionColumns
    from driftline.schemas.window import WindowResult
    from driftline.streams.join.scheme import Scheme
    from driftline.streams.join.shard_row import Records
    from driftline.streams.join.terms import Book
    from driftline.streams.windows.rules import Rules

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Shard:
    """The state of one partition.

    Attributes:
        partition: its number in both topics.
        predictions, labels: offsets of the last record taken of each topic.
        stored: the same two, as the stored state has them: what lies at or below is read again, not new.
        hots: the deployments.
        heard_s: the broker's time of the newest label taken, s since 1970.
        let_go_s: likewise, of the newest label that was forgotten without a prediction.
        dirty: records of labels that not all windows in memory took.
        seals: of batches of labels that were taken.
        complaints: of windows that cannot be worked out.
        asked: rules by which fewer windows are hot than were when the state was stored; they hold from the first
            publication on, for what is hot by the old ones is not told as a day of its week and month before.
    """

    partition: int
    book: Book
    rules: Rules
    predictions: int = -1
    labels: int = -1
    stored: tuple[int, int] = (-1, -1)
    hots: dict[str, Hot] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    topic_ids: tuple[str, str] = ("", "")
    heard_s: int = 0
    let_go_s: int = -1
    dirty: Offsets = field(default_factory=Offsets)
    seals: SealBook = field(default_factory=SealBook)
    complaints: Complaints = field(default_factory=Complaints)
    asked: Rules | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the facts held, and of the deployments that they are about."""
        return sum(hot.nbytes for hot in self.hots.values())

    @property
    def is_restored(self) -> bool:
        """Whether all that the stored state speaks of has been read again; before that nothing is published."""
        return self.predictions >= self.stored[0] and self.labels >= self.stored[1]

    def take_predictions(self, offset: int, cols: PredictionColumns | None, heard_ms: int) -> None:
        """Take the next record of predictions; None for one that was refused."""
        self.predictions = offset
        if cols is None:
            return
        hot = self.hot_of(cols.deployment)
        name, version, hot_windows = cols.deployment, cols.model_version, self.rules.hot_windows
        widths = self.book.resolutions(name, version)
        if hot.newest_ms != NEVER:
            hot.gaps.watch(version, widths, hot.newest_ms, partial(self._cold_before, hot), serves)
        if offset > self.stored[0]:
            count_late(hot, cols, offset, widths, hot_windows)
        hot.fold(cols, offset, lambda end: self.book.terms(name, version, end).scheme, widths, hot_windows)
        if offset > self.stored[0]:
            hot.gaps.doubt_older(cols.times_ms, self.let_go_s, self._cold_before(hot, "1d"))
            hot.advance(cols, self.rules.out_of_orderness_ms, heard_ms)
        self.changed.add(name)

    def take_labels(self, offset: int, cols: LabelColumns | None, heard_ms: int) -> None:
        """Take the next record of labels; None for one that was refused."""
        self.labels = offset
        if cols is None:
            return
        self.heard_s = max(self.heard_s, heard_ms // 1000)
        if self.seals.is_new(offset, cols, heard_ms):
            self.hot_of(cols.deployment).add_labels(cols, offset, heard_ms)
            self.changed.add(cols.deployment)

    def results(self, now_ms: int) -> Iterator[WindowResult]:
        """Give what is to be published now, each worked out when it is asked for; `commit` afterwards.

        Positions count from 0, so that of two results of a window the one that has absorbed more is the greater.
        """
        place = Place(self.partition, self.predictions + self.labels + 1, now_ms)
        for name in sorted(self.changed):
            hot = self.hots[name]
            changed = {key for key in hot.cells if hot.adopt(key, self._scheme(hot, key))} | hot.settle()
            versions = {key.version for key in [*hot.cells, *hot.days]}
            widths = {version: self.book.resolutions(name, version) for version in versions}
            missing = missed(hot, widths, self.rules.hot_windows)
            self.dirty.add(offset for offset in missing if offset > self.stored[1])
            cold_before = partial(self._cold_before, hot)
            for version, names in widths.items():
                hot.gaps.watch(version, names, hot.newest_ms, cold_before, serves)
            horizon_ms = partial(self.horizon_ms, hot, hot.observed_ms)
            for window in due_windows(hot, changed, widths, self.rules.hot_windows, horizon_ms):
                if window.resolution in MERGED and window.start_ms < hot.kept_from_ms(self.rules.kept_days):
                    hot.said.pop(window, None)  # some of its days are gone: its last result stands
                    continue
                terms = self.book.terms(name, window.version, window.end_ms)
                if stands(hot, window, terms):
                    hot.said.pop(window, None)
                    continue
                try:
                    result = result_of(hot, window, terms, place, horizon_ms(window))
                except Exception as error:  # noqa: BLE001 - one deployment must not stop the others
                    what = f"a window of {name!r} is left out"
                    which = f"{window.resolution} of {window.start_ms} ms"
                    self.complaints.say(logger, what, error, now_ms / 1000, instance=which)
                    continue
                yield result

    def commit(self) -> Records:
        """Take what was published as acknowledged, let cold facts go, and give the new state as records, in order."""
        records: Records = []
        if self.asked is not None:
            self.rules, self.asked = self.asked, None
        for name in sorted(self.changed):
            hot = self.hots[name]
            hot.closed_ms, hot.is_restored = hot.watermark_ms, False
            hot.floors_ms = {width: self._cold_before(hot, width) for width in WIDTHS_MS}
            hot.days_ms = hot.kept_from_ms(self.rules.kept_days)
            cold = [key for key in hot.cells if self._is_cold(hot, key)]
            records += let_go(hot, cold)
            self._trim(hot)
            old = [key for key in hot.days if key.start_ms < hot.days_ms]
            for key in old:
                hot.days.drop(key)
            hot.close()
            records += [(day_key(name, key), None) for key in old]
        self._forget()
        if self.nbytes > self.rules.held_bytes:
            hots = list(self.hots.values())
            gone = shed(hots, self.heard_s, self.rules.hot_windows, self.rules.held_bytes * 9 // 10)
            records += gone.records
            self._note_let_go(gone.let_go_s)
            self._forget()
        again = set()
        for name in self.changed & self.hots.keys():
            hot = self.hots[name]
            if hot.look_at_gaps(self.predictions, self.heard_s, partial(self._cold_before, hot)):
                again.add(name)
            records += said_records(hot)
        self.changed = again
        records += self.seals.records(self.hots, self._first_label())
        records.append((ROW_KEY + b"%d" % self.partition, self._row()))
        return records

    def idle(self, now_ms: int, idle_ms: int) -> None:
        """Close what wall-clock time has closed of deployments that are silent; only while all is read."""
        reached = now_ms - self.rules.out_of_orderness_ms
        for hot in self.hots.values():
            if hot.newest_ms == NEVER or now_ms - hot.heard_ms < idle_ms:
                continue
            versions = {key.version for key in hot.cells}
            names = {name for one in versions for name in self.book.resolutions(hot.name, one)}
            target = closed_by_clock(hot.newest_ms, names, reached)
            if target > hot.watermark_ms:
                hot.watermark_ms = target
                self.changed.add(hot.name)

    def starts(self, held: Mapping[bytes, bytes]) -> tuple[int, int]:
        """Take up the stored state; gives the offsets of predictions and labels to read from.

        Raises:
            StateError: the state has another format, or was made from other topics.
        """
        return take_up_state(self, held)

    def give_up_hot(self) -> None:
        """Let every window begun so far go cold: retention has removed facts that some of them were made from."""
        for hot in self.hots.values():
            since_ms = self._cold_before(hot, "1d")
            hot.floors_ms = {name: (hot.newest_ms // width + 1) * width for name, width in WIDTHS_MS.items()}
            hot.gaps.held.append(Gap(None, "1d", since_ms, hot.floors_ms["1d"]))

    def horizon_ms(self, hot: Hot, observed: int | None, window: Window) -> int | None:
        """How long labels of a window are waited for."""
        waited = waited_ms(hot, observed, window)
        return self.book.terms(hot.name, window.version, window.end_ms).horizon_ms(waited)

    def _cold_before(self, hot: Hot, resolution: str) -> int:
        return hot.cold_before(resolution, hot.watermark_ms, self.rules.hot_windows)

    def _scheme(self, hot: Hot, key: CellKey) -> Scheme | None:
        """How a cell is counted by what holds at its end."""
        end_ms = key.start_ms + cell_width(self.book.resolutions(hot.name, key.version))
        return self.book.terms(hot.name, key.version, end_ms).scheme

    def _forget(self) -> None:
        """Let go of deployments that only labels speak of, once none of those waits any more."""
        for name, hot in tuple(self.hots.items()):
            if hot.newest_ms == NEVER and not (hot.cells or len(hot.days)):
                self._trim(hot)
                if not len(hot.labels.rows):
                    del self.hots[name]

    def _trim(self, hot: Hot) -> None:
        self._note_let_go(hot.trim(self.heard_s))

    def _note_let_go(self, newest_s: int | None) -> None:
        self.let_go_s = self.let_go_s if newest_s is None else max(self.let_go_s, newest_s)

    def _first_label(self) -> int:
        firsts = [hot.labels.first for hot in self.hots.values()]
        return min((first for first in firsts if first is not None), default=self.labels + 1)

    def _row(self) -> bytes:
        cells = [cell.first for hot in self.hots.values() for cell in hot.cells.values()]
        first = min(cells, default=self.predictions + 1)
        return write_row(
            self.topic_ids,
            predictions=self.predictions,
            labels=self.labels,
            let_go_s=self.let_go_s,
            hot_windows=self.rules.hot_windows,
            dirty=self.dirty.to_list(),
            hots=[hot_parts(hot) for hot in self.hots.values() if hot.newest_ms != NEVER],
            **{"from": (first, self._first_label())},
        )

    def hot_of(self, name: str) -> Hot:
        """Give a deployment, with nothing in it when it is first met."""
        hot = self.hots.get(name)
        if hot is None:
            hot = self.hots[name] = Hot(name)
        return hot

    def _is_cold(self, hot: Hot, key: CellKey) -> bool:
        """Whether no window that the cell is part of takes facts any more; a cell may hold many narrow ones."""
        resolutions = self.book.resolutions(hot.name, key.version)
        widest, width = resolutions[-1], WIDTHS_MS[resolutions[-1]]
        start = (key.start_ms + max(0, cell_width(resolutions) - width)) // width * width
        return start < hot.cold_before(widest, hot.watermark_ms, self.rules.hot_windows)
