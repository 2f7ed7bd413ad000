"""What of a drift shard awaits restatement, and how what was restated goes back into it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.streams.replay.cold import Edge
from driftline.streams.replay.tasks import DriftTask, restated
from driftline.streams.windows.book import WIDTHS_MS
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.held import PaneKey
from driftline.streams.windows.pane import Pane
from driftline.streams.windows.too_late import newest_hot
from driftline.streams.windows.unprofiled import begin_tails, hot_unprofiled, take_profiled

if TYPE_CHECKING:
    from driftline.streams.replay.part import Part
    from driftline.streams.windows.shard import Shard


def drift_task(shard: Shard, deployment: str) -> DriftTask | None:
    """Give what awaits restatement of a deployment that is as its state was stored; None for nothing.

    What it gives is to be done now, and only one at a time: what comes from here on is counted beside it.
    """
    if deployment in shard.changed:
        return None
    late, hot = tuple(shard.book(deployment).late.spans), hot_unprofiled(shard, deployment)
    if not (late or hot):
        return None
    begin_tails(shard, hot)
    return DriftTask(deployment, shard.partition, (shard.position, -1), late, _edge(shard, deployment), hot)


def take_part(shard: Shard, task: DriftTask, part: Part) -> bool:
    """Take a part of a task in: the next checkpoint publishes it.

    Days are put in the place of those kept for weeks and months, which are then published again.

    Returns:
        Whether all of it could be taken: time may have gone on since the task was made, and a week or month that is not
        kept whole any more has to be done again.
    """
    book = shard.book(task.deployment)
    shard.changed.add(task.deployment)
    for one in part.results:
        left = book.late.rows_beside(task.late, one.model_version, one.slot)
        shard.recounted.append(restated(one, shard.position, left))
        if not one.profile_digest and one.resolution in WIDTHS_MS:
            book.unprofiled.note(one.model_version, one.resolution, one.window_start_ms, one.window_end_ms)
    for hot, counted in part.hot.items():
        take_profiled(shard, hot, counted)
    for day, counters in part.days.items():
        key = PaneKey(task.deployment, day.version, day.slot, "1d", day.start_ms)
        if isinstance(counters, Counters) and shard.is_kept(key):
            pane = shard.pane(key) or Pane(key, counters)
            pane.counters, pane.absorbed = counters, shard.position
            pane.restated = pane.changed = True
            shard.panes[key] = pane
            shard.index[task.deployment].add(key)
    kept = [merge for merge in part.merges if _edge(shard, task.deployment).is_kept(merge)]
    shard.merges_waiting |= {(task.deployment, *merge) for merge in kept}
    return len(kept) == len(part.merges)


def drift_done(shard: Shard, task: DriftTask) -> None:
    """Take out of a shard what was restated; what came since stays."""
    shard.book(task.deployment).late.restated(task.late)
    shard.changed.add(task.deployment)
    for one in task.late:
        if one.version is not None and one.slot is not None:
            # A hot window tells how many rows are late: it is published again when they no longer are.
            hot = newest_hot(shard, task.deployment, one.version, one.slot)
            shard.unpublished |= set() if hot is None else {hot}


def _edge(shard: Shard, deployment: str) -> Edge:
    book, rules, closed_ms = shard.book(deployment), shard.rules, shard.closed_ms[deployment]
    cold_ms = {name: book.cold_before(name, closed_ms, rules.hot_windows) for name in WIDTHS_MS}
    kept_from_ms = book.days_from(closed_ms, rules.kept_days)
    return Edge(closed_ms, cold_ms, rules.hot_windows, kept_from_ms, tuple(book.gaps.held))
