"""Restate: cold windows counted whole again out of the archive, with what came too late for them.

Why it is exact. The worker that owns a partition keeps, in its stored state, what no window in memory took: late rows
by day with the offsets of their records, and the offsets of labels. Once the archive has passed the positions of that
state, every fact that the state knows of lies in ClickHouse, those of hot windows as of cold ones. A cold window
counted from there holds each of them once: the archive keeps sealed batches once, and of an id's labels the one in
force. Nothing but a later fact can change it, and a later fact is kept again. So what is published last is what a plain
sort and join of all facts gives, whenever a worker is killed: what was not taken out of the state is done again, with
the same outcome.

Why it wins. The same worker publishes it, at its present position, which is at least that of any earlier result of the
window. It publishes nothing else of a window that is cold.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Final

from driftline.streams.clickhouse import fact_reads, window_reads
from driftline.streams.clickhouse.errors import ClickHouseAwayError
from driftline.streams.clickhouse.fact_reads import PART_MS, Stretch
from driftline.streams.complaints import Complaints
from driftline.streams.join.dirty import Offsets
from driftline.streams.join.kept import CellKey
from driftline.streams.replay.choice import Listed
from driftline.streams.replay.cold import Edge, cold_windows, hull, merges_of, runs
from driftline.streams.replay.cold_join import join_cold
from driftline.streams.replay.errors import ReplayError
from driftline.streams.replay.merged import merged_drift, unkept
from driftline.streams.replay.part import Failure, Part, slices
from driftline.streams.replay.previous import asks_for_previous, previous_counters
from driftline.streams.replay.recount import Recount
from driftline.streams.replay.tasks import DriftTask, JoinTask
from driftline.streams.windows.book import NEVER, WIDTHS_MS
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.held import PaneKey
from driftline.streams.windows.late import Late
from driftline.streams.windows.resolution import DAY_MS
from driftline.streams.windows.rules import Rules
from driftline.streams.windows.window import Window

if TYPE_CHECKING:
    from driftline.streams.clickhouse.client import Client
    from driftline.streams.clickhouse.fact_reads import Touched
    from driftline.streams.join.terms import Book
    from driftline.streams.windows.profiles import Profiles

logger = logging.getLogger(__name__)
complaints = Complaints()

ASKED_APART: Final = 32
"""Spans of late rows that are looked up one by one."""


def restate_drift(
    client: Client,
    task: DriftTask,
    profiles: Profiles,
    rules: Rules,
    now_ms: int,
    settled: Callable[[], None] = lambda: None,
) -> Iterator[Part]:
    """Count the windows of late rows again, some days at a time.

    Args:
        client: where the archive is.
        task: what, once the archive has passed its positions.
        profiles: what windows are measured against.
        rules: what they are judged by.
        now_ms: wall-clock time, ms.
        settled: returns when the archive holds all windows published so far.

    Raises:
        ClickHouseError: the server is away or refuses.
    """
    name, edge, stored = task.deployment, task.edge, cache(settled)
    if task.unprofiled:
        yield Part(name, [], {}, set(), hot=_hot(client, task, profiles, rules))
    touched = _touched(client, name, task.late)
    windows = cold_windows(touched, lambda version: profiles.resolutions(name, version), edge)
    windows = _whole(client, name, windows)
    packed: dict[CellKey, bytes] = {}
    earlier: dict[PaneKey, bytes] = {}
    if not windows:
        yield Part(name, [], {}, set())
        return
    for mine in runs(windows, fact_reads.rows_by_day(client, Stretch(name, *hull(windows, DAY_MS)))):
        recount = Recount(name, task.partition, task.positions[0], Listed.of(mine), profiles, rules)
        for _, cols in fact_reads.predictions(client, Stretch(name, *hull(mine, WIDTHS_MS["5m"]))):
            recount.take(cols)
        days = {}
        for key, counters in recount.counters():
            if counters.absent:
                stored()
                _borrow(client, profiles, key, counters)
                recount.put(key, counters)
            if key.resolution == "1d":
                days[CellKey(key.version, key.slot, key.start_ms)] = counters
        packed |= {key: counters.to_bytes() for key, counters in days.items()}
        kept = {merge for merge in merges_of(mine) if edge.is_kept(merge)}
        before = previous_counters(client, profiles, recount.keys, earlier, stored)
        earlier = _last(profiles, recount)
        for key, counters in before.items():
            recount.put(key, counters)
        yield from slices(name, recount.results(edge.watermark_ms, now_ms))
        yield Part(name, [], days, kept)
    yield from slices(
        name, merged_drift(client, task, profiles, rules, now_ms, packed, unkept(windows, edge, stored))
    )


def restate_join(
    client: Client, task: JoinTask, book: Book, now_ms: int, settled: Callable[[], None] = lambda: None
) -> Iterator[Part]:
    """Hold predictions against labels again in the windows that late ones lie in; arguments as `restate_drift`.

    A deployment that fails is left for another time, and does not keep the others from being done.

    Raises:
        ClickHouseAwayError: the server is away.
    """
    labelled = fact_reads.touched_by_labels(client, task.partition, task.labels) if task.labels else []
    for name in sorted({*task.late, *(one.deployment for one in labelled)}):
        edge = task.edges.get(name, Edge(NEVER, {}, 0, 0))
        mine = {one for one in labelled if one.deployment == name}
        left = task.labels if mine else Offsets()
        if name in task.waiting:
            yield _left(client, task.partition, name, left)
            continue
        try:
            mine |= _touched(client, name, task.late.get(name, ()))
            windows = _whole(client, name, cold_windows(mine, partial(book.resolutions, name), edge))
            if windows:
                yield from join_cold(client, task, name, windows, edge, book, now_ms, settled)
        except ClickHouseAwayError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, others of the partition must not wait for it
            yield _left(client, task.partition, name, left, error)


def _left(client: Client, partition: int, name: str, labels: Offsets, error: Exception | None = None) -> Part:
    """Give the word that a deployment is left for another time, with those of some records of labels that are its."""
    single = fact_reads.label_records(client, partition, name, labels.single)
    return Part(name, [], {}, set(), Failure(error, Offsets(single, labels.span)))


def _whole(client: Client, name: str, windows: set[Window]) -> set[Window]:
    """Give the windows of which the archive holds all that came: of one that retention took rows of, fewer are left."""
    if not windows:
        return windows
    widths = {one.resolution for one in windows}
    gone = {
        Window(one.version, one.slot, width, one.start_ms // WIDTHS_MS[width] * WIDTHS_MS[width])
        for one in fact_reads.thinned(client, Stretch(name, *hull(windows, PART_MS)))
        for width in widths
    }
    if gone & windows:
        which = f"{len(gone & windows):,}, the oldest of {min(one.start_ms for one in gone & windows)} ms"
        what = f"cold windows of deployment {name!r} stand as they were published"
        why = ReplayError("retention has taken predictions of theirs, and the others alone would tell fewer")
        complaints.say(logger, what, why, time.monotonic(), instance=which)
    return windows - gone


def _hot(client: Client, task: DriftTask, profiles: Profiles, rules: Rules) -> dict[PaneKey, Counters]:
    """Count hot windows whose profile has come since, as they were when the task was made."""
    windows = {key.window for key in task.unprofiled}
    recount = Recount(task.deployment, task.partition, task.positions[0], Listed.of(windows), profiles, rules)
    stretch = Stretch(task.deployment, *hull(windows, WIDTHS_MS["5m"]))
    for _, cols in fact_reads.predictions(client, stretch, task.positions[0]):
        recount.take(cols)
    counted = dict(recount.counters())
    return {
        key: counted.get(key) or Counters(profiles.layout(key.deployment, key.version))
        for key in task.unprofiled
    }


def _touched(client: Client, name: str, spans: Sequence[Late]) -> set[Touched]:
    """Give where late rows lie; of very many days where anything lies that came in between, which is asked at once."""
    asked, late = [one for one in spans if one.is_asked], [one for one in spans if not one.is_asked]
    if len(late) > ASKED_APART:
        late = [
            Late(
                version=None,
                slot=None,
                since_ms=min(one.since_ms for one in late),
                until_ms=max(one.until_ms for one in late),
                rows=sum(one.rows for one in late),
                first=min(one.first for one in late),
                last=max(one.last for one in late),
            )
        ]
    return {touched for one in [*asked, *late] for touched in fact_reads.touched_by_rows(client, name, one)}


def _last(profiles: Profiles, recount: Recount) -> dict[PaneKey, bytes]:
    """Pack windows that may be the ones before those counted next: whose own next one is not among them."""
    nexts = {key: replace(key, start_ms=key.start_ms + WIDTHS_MS[key.resolution]) for key in recount.keys}
    wanted = {
        key
        for key, after in nexts.items()
        if after not in recount.keys and asks_for_previous(profiles, after)
    }
    return (
        {key: counters.to_bytes() for key, counters in recount.counters() if key in wanted} if wanted else {}
    )


def _borrow(client: Client, profiles: Profiles, key: PaneKey, counters: Counters) -> None:
    """Take columns that the archive does not hold, for they may only be counted, as the window had them before.

    Its late rows are then missing in those columns alone.
    """
    window = key.window
    found = window_reads.published(client, key.deployment, window, window.end_ms, "drift").get(key.start_ms)
    if found is not None and found.counts and found.digest == counters.layout.digest:
        before = Counters.from_bytes(profiles.layout_of(key, found.digest), found.counts)
        counters.borrow(counters.absent, before)
