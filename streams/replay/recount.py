"""Recount: drift windows of one deployment counted again from rows, in any order, by the live worker's own parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.streams.replay.errors import ReplayError
from driftline.streams.windows.book import WIDTHS_MS
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.held import PaneKey
from driftline.streams.windows.pane import Pane
from driftline.streams.windows.resolution import MERGED, NAMES, Resolution, rows_by_start
from driftline.streams.windows.results import merged_result, pane_result
from driftline.streams.windows.shard import Shard
from driftline.streams.windows.window import Window

if TYPE_CHECKING:
    from driftline.schemas.columns import PredictionColumns
    from driftline.schemas.window import WindowResult
    from driftline.streams.replay.choice import Choice
    from driftline.streams.windows.profiles import Profiles
    from driftline.streams.windows.rules import Rules

DECODED_BYTES: Final = 64 << 20
"""Windows at work, as tables; past it they are packed, and unpacked when rows of theirs come again."""
PACKED_BYTES: Final = 1 << 30
"""Windows packed, together, before a replay of so much is refused."""


class Recount:
    """Counts rows into the windows of a choice, and judges them.

    What it holds is a shard of the drift worker that no row is too late for: the same panes, merges and verdicts. So
    the counters of a window are those of the live worker, `==`, where both saw the same rows.

    Args:
        deployment: its name.
        partition: of `predictions` where it lies.
        absorbed: offset that the results say they have absorbed.
        choice: which windows to count.
        profiles: what they are measured against, and at which resolutions they are counted.
        rules: what they are judged by.
        packed_bytes: cap of what is held packed.
    """

    def __init__(
        self,
        deployment: str,
        partition: int,
        absorbed: int,
        choice: Choice,
        profiles: Profiles,
        rules: Rules,
        packed_bytes: int = PACKED_BYTES,
    ) -> None:
        self.deployment, self.choice = deployment, choice
        self._absorbed, self._packed_bytes = absorbed, packed_bytes
        self._shard = Shard(partition, {}, profiles, rules)
        self._book = self._shard.book(deployment)
        self._size_bytes = 0
        self._told: set[Window] = set()
        self._merges: set[Window] = set()

    @property
    def keys(self) -> set[PaneKey]:
        """The windows that are held."""
        return self._shard.index[self.deployment]

    def take(self, cols: PredictionColumns, heard_ms: int = 0) -> None:
        """Count a batch; one that was seen before adds nothing.

        Raises:
            ReplayError: there are more windows than memory is allowed for.
        """
        if not self._book.is_new(cols, heard_ms):
            return
        oldest, newest = cols.span_ms
        version, slot = cols.model_version, cols.slot
        for name in self._shard.profiles.resolutions(self.deployment, version):
            width = WIDTHS_MS[name]
            first = oldest // width * width
            if newest < first + width:
                if self.choice.mask(version, slot, name, np.array([first])).all():
                    self._fold(PaneKey(self.deployment, version, slot, name, first), cols, slice(None))
                continue
            starts = cols.times_ms // width * width
            for start, rows in rows_by_start(starts, self.choice.mask(version, slot, name, starts)):
                self._fold(PaneKey(self.deployment, version, slot, name, start), cols, rows)
        if self._shard.fresh_bytes > DECODED_BYTES:
            self._pack()

    def results(
        self, watermark_ms: int, now_ms: int, *, before_ms: int | None = None
    ) -> Iterator[WindowResult]:
        """Give the results of what is counted whole, each once, and let it go.

        Args:
            watermark_ms: what ends before it is final.
            now_ms: wall-clock time, ms.
            before_ms: no rows of windows that end before it are to come; None when none are to come at all.
        """
        shard, book = self._shard, self._book
        book.watermark_ms = watermark_ms
        told: list[PaneKey] = []
        # The newest first: each may be held against the one before, which must still be there.
        for key in sorted(self.keys, key=lambda one: (NAMES.index(one.resolution), -one.start_ms)):
            window = key.window
            if before_ms is not None and window.end_ms > before_ms:
                continue
            told.append(key)
            if window in self._told or not self.choice.has(window):
                continue
            yield pane_result(shard, book, key, is_final=window.end_ms <= watermark_ms, now_ms=now_ms)
            self._told.add(window)
            if key.resolution == "1d":
                self._merges |= {_merge(key, name) for name in MERGED}
        yield from self._merged(watermark_ms, now_ms, before_ms)
        self._let_go(told, keeps_newest=before_ms is not None)

    def counters(self) -> Iterator[tuple[PaneKey, Counters]]:
        """Give the counters of every window that is held."""
        for key in sorted(self.keys, key=lambda one: (one.start_ms, one.resolution)):
            yield key, self._shard.look(key).counters

    def put(self, key: PaneKey, counters: Counters) -> None:
        """Put counters in the place of those of a window that is held, or beside them: the next is held against it."""
        self._shard.panes[key] = Pane(key, counters, absorbed=self._absorbed)
        if key not in self.keys:
            self.keys.add(key)
            self._shard.fresh_bytes += counters.size_bytes

    def _merged(self, watermark_ms: int, now_ms: int, before_ms: int | None) -> Iterator[WindowResult]:
        """Weeks and months whose days are all counted."""
        for window in sorted(one for one in self._merges if one.resolution in MERGED):
            if before_ms is not None and window.end_ms > before_ms:
                continue
            self._merges.discard(window)
            days = sorted(
                (
                    key
                    for key in self.keys
                    if (key.resolution, key.version, key.slot) == ("1d", window.version, window.slot)
                    and window.start_ms <= key.start_ms < window.end_ms
                ),
                key=lambda key: key.start_ms,
            )
            if not days or not self.choice.has(window):
                continue
            merge = (self.deployment, window.version, window.slot, window.resolution, window.start_ms)
            final = window.end_ms <= watermark_ms
            yield merged_result(self._shard, self._book, merge, days, is_final=final, now_ms=now_ms)

    def _let_go(self, told: list[PaneKey], *, keeps_newest: bool) -> None:
        """Drop windows that were told: a day once its week and month were; the newest stays for the one after it."""
        seen: set[tuple[str, str, str]] = set()
        for key in told:
            place = (key.version, key.slot, key.resolution)
            is_newest = place not in seen
            seen.add(place)
            waits = key.resolution == "1d" and {_merge(key, name) for name in MERGED} & self._merges
            if not waits and not (is_newest and keeps_newest):
                self._drop(key)
                self._told.discard(key.window)

    def _fold(self, key: PaneKey, cols: PredictionColumns, rows: slice | np.ndarray) -> None:
        shard = self._shard
        pane = shard.pane(key)
        if pane is None:
            layout = shard.profiles.layout(key.deployment, key.version)
            pane = shard.panes[key] = Pane(key, Counters(layout), absorbed=self._absorbed)
            self.keys.add(key)
            shard.fresh_bytes += pane.counters.size_bytes
        pane.count(cols, rows, shard.profiles)

    def _pack(self) -> None:
        shard = self._shard
        for key, pane in shard.panes.items():
            name = key.encode()
            self._size_bytes -= len(shard.held.get(name, b""))
            shard.held[name] = pane.encode()
            self._size_bytes += len(shard.held[name])
        shard.panes.clear()
        shard.fresh_bytes = 0
        if self._size_bytes > self._packed_bytes:
            raise ReplayError(
                f"{len(self.keys):,} windows of deployment {self.deployment!r} take more than "
                f"{self._packed_bytes >> 20:,} MiB: replay a shorter span, or wider windows with --resolution"
            )

    def _drop(self, key: PaneKey) -> None:
        self.keys.discard(key)
        self._shard.panes.pop(key, None)
        self._size_bytes -= len(self._shard.held.pop(key.encode(), b""))


def merged_of(
    deployment: str,
    partition: int,
    profiles: Profiles,
    rules: Rules,
    merge: Window,
    days: dict[int, Counters],
    watermark_ms: int,
    now_ms: int,
) -> WindowResult:
    """Give the result of a week or month from the counters of its days, by start."""
    shard = Shard(partition, {}, profiles, rules)
    book = shard.book(deployment)
    book.watermark_ms = watermark_ms
    keys = [PaneKey(deployment, merge.version, merge.slot, "1d", start) for start in sorted(days)]
    shard.panes = {key: Pane(key, days[key.start_ms]) for key in keys}
    where = (deployment, merge.version, merge.slot, merge.resolution, merge.start_ms)
    is_final = merge.end_ms <= watermark_ms
    return merged_result(shard, book, where, keys, is_final=is_final, now_ms=now_ms)


def _merge(key: PaneKey, name: str) -> Window:
    return Window(key.version, key.slot, name, Resolution(name).start(key.start_ms))
