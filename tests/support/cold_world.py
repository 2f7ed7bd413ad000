"""A worker of the join, the archive beside it, and the schedule of facts and crashes that both live through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
from cold_archive import ColdArchive, some
from hypothesis import strategies as st

from driftline.schemas.columns import LabelColumns, NumericBlock, PredictionColumns
from driftline.schemas.deployment import DeploymentSettings
from driftline.streams.join.due import Place
from driftline.streams.join.outcomes_bytes import unpack
from driftline.streams.join.scheme import Scheme
from driftline.streams.join.shard import Shard
from driftline.streams.join.terms import Terms
from driftline.streams.replay.choice import Span
from driftline.streams.replay.join_tasks import join_done, join_task, take_part
from driftline.streams.replay.part import Part
from driftline.streams.replay.rejoin import Rejoin
from driftline.streams.replay.restate import restate_join
from driftline.streams.replay.tasks import JoinTask
from driftline.streams.windows.rules import MONTH_DAYS, Rules

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_750_032_000_000 // DAY_MS * DAY_MS
SCHEME = Scheme("ab" * 32, "binary", ("0", "1"), ("score",), edges=np.array([0.25, 0.5, 0.75]))
# Weeks and months that a hot day is part of are kept whole, as the worker's rules have it.
RULES = Rules(hot_windows=1, kept_days=33)
DAYS = (0, 1, 2, 3, 14, 15, 33, 34, 35, 60, 61, 62)
STEP = st.tuples(
    st.sampled_from("pppaaallllrooottttccx"),
    st.integers(0, 3),
    st.sampled_from(DAYS),
    st.integers(0, 23),
    st.integers(0, 1),
)
Step = tuple[str, int, int, int, int]
ROUNDS = 4
"""Restatements at the end of a schedule, of what is cold and of what it has filled."""


class Book:
    """One scheme for all.

    Args:
        widths: of all versions; without them days alone for one of them, all for the others.
        label_hours: how long labels are waited for; None for as long as they took.
    """

    def __init__(self, widths: tuple[str, ...] = (), label_hours: float | None = None) -> None:
        self.widths, self._label_hours = widths, label_hours

    def terms(self, deployment: str, _version: str, _at_ms: int) -> Terms:
        """The scheme."""
        told = DeploymentSettings(deployment=deployment, label_horizon_hours=self._label_hours)
        return Terms(told, scheme=SCHEME)

    def resolutions(self, _deployment: str, version: str) -> tuple[str, ...]:
        """What is wanted."""
        return self.widths or (("1d",) if version == "days" else ("5m", "1h", "1d"))


@dataclass
class World:
    """The facts, what was published, and what was stored."""

    rules: Rules = RULES
    book: Book = field(default_factory=Book)
    archive: ColdArchive = field(default_factory=ColdArchive)
    state: dict[bytes, bytes] = field(default_factory=dict)
    running: tuple[JoinTask, list[Part]] | None = None
    is_whole: bool = True

    def begin(self) -> Shard:
        """A worker that has read the state, and the logs from where it says on; what was counted again is lost."""
        self.running = None
        shard = Shard(0, self.book, self.rules)
        first, first_label = shard.starts(self.state)
        for offset in range(first_label, len(self.archive.truths)):
            shard.take_labels(offset, self.archive.truths[offset], 0)
        for offset in range(first, len(self.archive.log)):
            shard.take_predictions(offset, self.archive.log[offset], 0)
        shard.predictions = max(shard.predictions, first - 1)
        shard.labels = max(shard.labels, first_label - 1)
        return shard

    def again(self, hot_windows: int) -> Shard:
        """A worker that begins by rules by which so many windows are hot."""
        if hot_windows != self.rules.hot_windows:
            kept_days = hot_windows + MONTH_DAYS
            self.rules = replace(self.rules, hot_windows=hot_windows, kept_days=kept_days)
        return self.begin()

    def publish(self, shard: Shard) -> None:
        """Publish what is hot, and store the state."""
        for result in shard.results(0):
            self.archive.publish(result)
        self.store(shard.commit())

    def store(self, records: list[tuple[bytes, bytes | None]]) -> None:
        """Write the state."""
        for key, value in records:
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value

    def offer(self, shard: Shard) -> bool:
        """Count again what awaits it, as the archive is now, to be taken part by part; False when there is nothing."""
        self.publish(shard)
        task = join_task(shard)
        if task is None:
            return False
        parts = list(restate_join(None, task, self.book, 0))  # type: ignore[arg-type]
        self.running = (task, parts)
        self.is_whole = True
        return True

    def take(self, shard: Shard) -> None:
        """Take the next part of what was counted again, or the word that this was all."""
        if self.running is None:
            return
        task, parts = self.running
        if not parts:
            self.running = None
            if self.is_whole:
                join_done(shard, task)
            return
        results, records, is_whole = take_part(shard, task, parts.pop(0), 0)
        self.is_whole = self.is_whole and is_whole
        self.store(records)
        for result in results:
            self.archive.publish(result)

    def restate(self, shard: Shard) -> bool:
        """Restate what is cold, whole; False when there was nothing."""
        found = self.running is not None or self.offer(shard)
        while self.running is not None:
            self.take(shard)
        return found

    def live(self, shard: Shard, steps: list[Step], version: str) -> Shard:
        """Live through a schedule and restate all that is left; gives the worker that is there at its end."""
        for kind, id_, day, hour, value in steps:
            if kind in "pa":
                of = DAYS[hour % len(DAYS)] if kind == "a" else day
                self.predict(shard, batch(id_, day, value, version, of))
            elif kind == "l":
                self.archive.truths.append(truth(id_, day, hour, value))
                shard.take_labels(len(self.archive.truths) - 1, self.archive.truths[-1], 0)
            elif kind == "c":
                self.publish(shard)
            elif kind == "r":
                self.restate(shard)
            elif kind == "o" and self.running is None:
                self.offer(shard)
            elif kind == "t":
                self.take(shard)
            elif kind in "xh":
                shard = self.again(1 + 3 * id_ if kind == "h" else self.rules.hot_windows)
        rounds = 0
        while self.restate(shard):
            rounds += 1
            assert rounds < ROUNDS
        return shard

    def grow_cold(self, shard: Shard, version: str) -> Shard:
        """Let days go by, so that what was kept meanwhile goes cold; gives the worker that is there at their end."""
        for day in (120, 240):
            self.predict(shard, batch(0, day, 0, version))
            shard = self.live(shard, [], version)
        return shard

    def predict(self, shard: Shard, cols: PredictionColumns) -> None:
        """Append a batch and take it."""
        self.archive.log.append(cols)
        shard.take_predictions(len(self.archive.log) - 1, cols, 0)

    def differences(self, shard: Shard, new: Collection[str] = ()) -> list[object]:
        """Give the windows whose last result is another than that of a plain join of all facts.

        Args:
            shard: the worker at the end.
            new: widths that were not counted from the beginning: of those windows may be missing.
        """
        wanted, found = plain(self, shard), self.archive.windows
        counted = {key[3] for key in wanted}
        found = {key: one for key, one in found.items() if not new or key[3] in counted}
        wrong: list[object] = sorted(found.keys() - wanted.keys())
        wrong += sorted(key for key in wanted.keys() - found.keys() if key[3] not in new)
        for key in wanted.keys() & found.keys():
            one, want = found[key], wanted[key]
            if unpack(one.counts) != unpack(want.counts) or (one.rows, one.labels) != (
                want.rows,
                want.labels,
            ):
                wrong.append((key, (one.rows, one.labels), (want.rows, want.labels)))
        return wrong


def ids_of(day: int, *ids: int) -> np.ndarray:
    """Ids of a day."""
    found = np.zeros((len(ids), 16), np.uint8)
    found[:, 14], found[:, 15] = day, ids
    return found


def batch(id_: int, day: int, slot: int, version: str, of: int | None = None) -> PredictionColumns:
    """Two predictions, by the champion or hours later by a shadow, of ids of that day or of another one."""
    hours = np.array([id_, id_ + 1], np.int64) * 3 + 12 + 9 * slot
    scores = [NumericBlock(("score",), np.array([[id_ / 4, 0.5]], np.float32))]
    name = ("champion", "shadow")[slot]
    ids = ids_of(day if of is None else of, id_, id_ + 1)
    times = START_MS + day * DAY_MS + hours * HOUR_MS
    return PredictionColumns("d", version, name, 2, None, ids, None, times, scores=scores)


def truth(id_: int, day: int, known_at: int, value: int) -> LabelColumns:
    """A label for two ids; the second is withdrawn when the value is 0."""
    known = np.full(2, START_MS + known_at * HOUR_MS, np.int64)
    withdrawn = np.array([False, value == 0])
    numbers = np.where(withdrawn, np.nan, float(value))
    return LabelColumns(
        "d", 2, None, ids_of(day, id_, id_ + 2), None, known, numbers=numbers, withdrawn=withdrawn
    )


def plain(world: World, shard: Shard) -> dict:
    """Join all facts at once: labels in force, and of predictions those that count."""
    archive = world.archive
    rejoin = Rejoin("d", Place(0, 0, 0), Span(0, START_MS * 2), world.book, 0)
    for offset, cols in enumerate(archive.truths):
        rejoin.take_labels(offset, cols)
    for offset, (cols, counts) in enumerate(zip(archive.log, counting(world), strict=True)):
        if counts.any():
            rejoin.take(offset, some(cols, counts), reached_ms=1 << 61)  # nothing bars what counts
    mark = shard.hots["d"].watermark_ms if shard.hots else 0
    return {
        (one.role, one.model_version, one.slot, one.resolution, one.window_start_ms): one
        for one in rejoin.results(mark, 0)
    }


def counting(world: World) -> list[np.ndarray]:
    """Tell of each prediction, row by row, whether it counts: of an id that comes again in a cell the first may.

    And that only if it was in no other cell before that still took facts when it came.
    """
    rules, newest_ms = world.rules, -(1 << 60)
    cells: dict[tuple[str, str, bytes], dict[int, bool]] = defaultdict(dict)
    found = []
    for cols in world.archive.log:
        widths = world.book.resolutions("d", cols.model_version)
        width = DAY_MS if widths == ("1d",) else HOUR_MS
        widest = HOUR_MS if widths[-1] == "1h" else DAY_MS
        cold_ms = (newest_ms - rules.out_of_orderness_ms) // widest * widest - rules.hot_windows * widest
        counts = np.zeros(cols.rows, np.bool_)
        for row, time in enumerate(cols.times_ms.tolist()):
            mine = cells[cols.model_version, cols.slot, bytes(cols.ids[row])]
            start = time // width * width
            if start not in mine:
                counts[row] = not any(cell >= cold_ms for cell in mine)
                mine[start] = True
        newest_ms = max(newest_ms, cols.span_ms[1])
        found.append(counts)
    return found
