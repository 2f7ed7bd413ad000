"""One source partition's share of the work: its deployments' books and panes, fed message by message.

Pure: messages and times come in, state changes; `checkpoint.py` says what is to be written of them. The position
rules make it exact whatever is delivered again: a message at or below a book's `absorbed` is wholly in the state;
above it the marks, the watermark and each pane go on from where they stand, and a pane that already holds the
message (its state was written, its book was not) skips it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from driftline.streams.windows.book import NEVER, WIDTHS_MS, Book, Times, closed_by_clock
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.held import PaneKey, book_key, decode_pane_key, partition_key, unseal
from driftline.streams.windows.new_widths import widths_of
from driftline.streams.windows.pane import Pane
from driftline.streams.windows.resolution import rows_by_start
from driftline.streams.windows.too_late import count_late

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from driftline.schemas.columns import PredictionColumns
    from driftline.schemas.window import WindowResult
    from driftline.streams.windows.profiles import Profiles
    from driftline.streams.windows.rules import Rules


MergeKey = tuple[str, str, str, str, int]
"""A week or month: deployment, model version, slot, resolution, start in ms."""


@dataclass(slots=True)
class Tally:
    """What a shard has met since it was loaded, for the metrics."""

    events: int = 0
    refused: int = 0
    duplicates: int = 0
    late: int = 0
    unsealed: int = 0
    forgotten: int = 0


@dataclass(slots=True)
class Shard:
    """The state of one partition.

    Attributes:
        partition: its number in the source topic.
        held: what the changelog holds, key to value; changed only by a checkpoint that was acknowledged.
        position: offset of the last message that was offered to `fold`.
        books, panes: working copies of what is held, decoded.
        fresh_bytes: panes decoded or begun since the last checkpoint, bytes.
        index: each deployment's live windows, stored or not.
        closed_ms: each deployment's watermark at the last checkpoint: what ends before it was published as final.
        changed: deployments touched since the last checkpoint.
        pending: deployments with windows that are to be published when their time comes.
        merges_waiting: weeks and months that are to be published.
        unpublished: windows that differ from what was published last, decoded or not; a hot one that was loaded is
            taken for one, since its last result may not have been sent.
        published_at: when a window was published last, seconds on the caller's clock; not known of those loaded.
        leftovers: keys of stored windows that are cold already; their tombstones were lost.
        source_id: names the source topic's life; stored with the position.
        merged_at: when those still open were published last, seconds on the caller's clock.
        recounted: results of cold windows that were restated, to be published at the next checkpoint.
    """

    partition: int
    held: dict[bytes, bytes]
    profiles: Profiles
    rules: Rules
    position: int = -1
    books: dict[str, Book] = field(default_factory=dict)
    panes: dict[PaneKey, Pane] = field(default_factory=dict)
    fresh_bytes: int = 0
    index: dict[str, set[PaneKey]] = field(default_factory=dict)
    closed_ms: dict[str, int] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    pending: set[str] = field(default_factory=set)
    merges_waiting: set[MergeKey] = field(default_factory=set)
    unpublished: set[PaneKey] = field(default_factory=set)
    published_at: dict[PaneKey, float] = field(default_factory=dict)
    leftovers: list[bytes] = field(default_factory=list)
    source_id: bytes = b""
    merged_at: dict[MergeKey, float] = field(default_factory=dict)
    recounted: list[WindowResult] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    @classmethod
    def load(cls, partition: int, held: Mapping[bytes, bytes], profiles: Profiles, rules: Rules) -> Shard:
        """Take up the work where the changelog says it stands.

        A stored pane that its book calls cold is left out and deleted: its tombstone was lost or overtaken, and a
        cold window is never taken up again. A hot one is published again, since what was unpublished is not stored.
        """
        shard = cls(partition, dict(held), profiles, rules)
        row = shard.held.get(partition_key(partition))
        if row is not None:
            shard.position = unseal(partition_key(partition), row)[0]
        for key in shard.held:
            if key.startswith(b"p"):
                pane_key = decode_pane_key(key)
                if not shard.is_cold(pane_key):
                    shard.unpublished.add(pane_key)
                    shard.pending.add(pane_key.deployment)
                elif not shard.is_kept(pane_key):
                    shard.leftovers.append(key)
                    # Its book is to say from when on there is no state.
                    shard.changed.add(pane_key.deployment)
                    continue
                shard.index[pane_key.deployment].add(pane_key)
            elif key.startswith(b"d"):
                shard.book(key[1:].decode())
        return shard

    def book(self, deployment: str) -> Book:
        """The deployment's row, from the changelog or new."""
        book = self.books.get(deployment)
        if book is None:
            key = book_key(deployment)
            value = self.held.get(key)
            book = Book(deployment) if value is None else Book.decode(key, value)
            self.books[deployment] = book
            self.index[deployment] = set()
            self.closed_ms[deployment] = book.watermark_ms
        return book

    def pane(self, key: PaneKey) -> Pane | None:
        """A window's state, decoded; None when there is none."""
        pane = self.panes.get(key)
        if pane is None and key in self.index.get(key.deployment, ()):
            pane = self.look(key)
            self.panes[key] = pane
            self.fresh_bytes += pane.counters.size_bytes
        return pane

    def look(self, key: PaneKey) -> Pane:
        """The state of a window that there is, to be read and not kept: the working copy, or one for this once."""
        pane = self.panes.get(key)
        return Pane.decode(key, self.held[key.encode()], self.profiles.layout_of) if pane is None else pane

    def is_cold(self, key: PaneKey) -> bool:
        """Whether the window takes no rows any more."""
        book = self.book(key.deployment)
        return key.start_ms < book.cold_before(key.resolution, book.watermark_ms, self.rules.hot_windows)

    def is_kept(self, key: PaneKey) -> bool:
        """Whether a cold window's state is still needed: for the merges of days, or to hold the next one against."""
        book = self.book(key.deployment)
        if key.resolution == "1d":
            return key.start_ms >= self.days_kept_from(book)
        after = replace(key, start_ms=key.start_ms + WIDTHS_MS[key.resolution])
        if self.is_cold(after) or key.start_ms < book.floors_ms.get(key.resolution, NEVER):
            return False
        end_ms = after.start_ms + WIDTHS_MS[key.resolution]
        return "previous" in self.profiles.state(key.deployment, end_ms).settings.baselines

    def days_kept_from(self, book: Book) -> int:
        """Start of the first day whose state is kept, ms."""
        return book.days_from(book.watermark_ms, self.rules.kept_days)

    def fold(self, offset: int, columns: PredictionColumns | None, record_time_ms: int) -> None:
        """Take in the next message of the partition; offsets must come in ascending order.

        Args:
            offset: the message's offset.
            columns: its content, or None for a message that intake refused (archive writes its dead letter).
            record_time_ms: the broker's time of the record.
        """
        self.position = offset
        if columns is None:
            self.tally.refused += 1
            return
        book = self.book(columns.deployment)
        if offset <= book.absorbed:
            return
        book.absorbed = offset
        book.heard_ms = record_time_ms
        self.changed.add(columns.deployment)
        forgotten = book.seen.forgotten
        is_new = book.is_new(columns, record_time_ms)
        self.tally.forgotten += book.seen.forgotten - forgotten
        if not is_new:
            self.tally.duplicates += 1
            return
        self.tally.events += columns.rows
        self.tally.unsealed += columns.rows if columns.identity is None else 0
        before = book.watermark_ms
        own = book.advance(columns, self.rules.out_of_orderness_ms)
        late: np.ndarray | None = None
        for resolution in widths_of(self, book, columns.model_version):
            cold = self._fold_resolution(book, columns, offset, resolution, before, own)
            late = cold if late is None or (cold is not None and cold.sum() > late.sum()) else late
        if late is not None and late.any():
            count_late(self, book, columns, late, offset)

    def _fold_resolution(
        self,
        book: Book,
        columns: PredictionColumns,
        offset: int,
        resolution: str,
        before_ms: int,
        own_ms: Times | None,
    ) -> np.ndarray | None:
        """Fold a batch into its windows of one resolution; returns which rows were too late for it."""
        width = WIDTHS_MS[resolution]
        times = columns.times_ms
        oldest, newest = columns.span_ms
        first = oldest // width * width
        if own_ms is None:
            cold_before = book.cold_before(resolution, before_ms, self.rules.hot_windows)
            if newest < first + width and first >= cold_before:
                self._fold_window(book, columns, offset, resolution, first, slice(None))
                return None
            starts = times // width * width
            cold = starts < cold_before
        else:
            starts = times // width * width
            moved = own_ms // width * width - self.rules.hot_windows * width
            cold = starts < np.maximum(moved, book.cold_before(resolution, NEVER, self.rules.hot_windows))
        for start, rows in rows_by_start(starts, ~cold):
            self._fold_window(book, columns, offset, resolution, start, rows)
        return cold

    def _fold_window(
        self,
        book: Book,
        columns: PredictionColumns,
        offset: int,
        resolution: str,
        start_ms: int,
        rows: slice | np.ndarray,
    ) -> None:
        key = PaneKey(columns.deployment, columns.model_version, columns.slot, resolution, start_ms)
        pane = self.pane(key)
        if pane is None:
            pane = self.panes[key] = Pane(key, Counters(self.profiles.layout(key.deployment, key.version)))
            self.index[key.deployment].add(key)
            self.fresh_bytes += pane.counters.size_bytes
        if not pane.counters.layout.digest:
            book.unprofiled.note(key.version, resolution, start_ms, pane.end_ms)
        # A pane that holds the message already was written by a checkpoint that was not finished: its result may
        # be missing.
        self.unpublished.add(key)
        if offset <= pane.absorbed:
            return
        pane.count(columns, rows, self.profiles)
        pane.absorbed = offset
        pane.restated = pane.restated or pane.end_ms <= self.closed_ms[book.deployment]
        pane.changed = True

    def idle(self, now_ms: int, idle_ms: int, holds_back: Callable[[str], bool]) -> bool:
        """Close what wall-clock time has closed, where nothing more is on its way.

        Event time follows the clock, but never past the end of the windows that are open: a stream that is
        replayed from the past, and pauses, goes on where it stopped. Call it only while the partition is caught up.

        Args:
            now_ms: wall-clock time, ms.
            idle_ms: how long a deployment must have been silent, ms.
            holds_back: whether a live emitter of a deployment says that it still has events to send.

        Returns:
            Whether anything was closed.
        """
        closed = False
        reached = now_ms - self.rules.out_of_orderness_ms
        for book in self.books.values():
            if book.newest_ms == NEVER or now_ms - book.heard_ms < idle_ms:
                continue
            names = {key.resolution for key in self.index[book.deployment]}
            target = closed_by_clock(book.newest_ms, names, reached)
            if target > book.watermark_ms and not holds_back(book.deployment):
                book.watermark_ms = target
                self.changed.add(book.deployment)
                closed = True
        return closed
