"""What of a shard of the join awaits restatement, and how what was restated goes back into it. Pure."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from driftline.streams.join.day_key import day_key
from driftline.streams.join.due import Place, result_of
from driftline.streams.join.outcomes import Outcomes
from driftline.streams.join.outcomes_bytes import pack
from driftline.streams.replay.cold import Edge
from driftline.streams.replay.tasks import JoinTask, restated
from driftline.streams.windows.book import NEVER
from driftline.streams.windows.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from driftline.schemas.window import WindowResult
    from driftline.streams.join.hot import Hot
    from driftline.streams.join.shard import Shard
    from driftline.streams.join.shard_row import Records
    from driftline.streams.replay.part import Failure, Part


def join_task(shard: Shard, waiting: frozenset[str] = frozenset()) -> JoinTask | None:
    """Give what awaits restatement in a shard that is as its state was stored; None for nothing.

    Args:
        shard: of one partition.
        waiting: deployments that are not to be tried now.
    """
    late = {
        name: tuple(hot.late.spans)
        for name, hot in shard.hots.items()
        if hot.late.spans and name not in waiting
    }
    if not late and not shard.dirty:
        return None
    edges = {name: _edge(shard, hot) for name, hot in shard.hots.items()}
    positions = shard.predictions, shard.labels
    return JoinTask(shard.partition, positions, late, shard.dirty.copy(), edges, shard.rules, waiting)


def take_part(
    shard: Shard, task: JoinTask, part: Part, now_ms: int
) -> tuple[Iterator[WindowResult], Records, bool]:
    """Take a part of a task in.

    Days are put in the place of those kept in memory, for the weeks and months that hold them.

    Returns:
        The results to be published now, the records of the days, and whether all of it could be taken: time may have
        gone on since the task was made, and a week or month that is not kept whole any more has to be done again.
    """
    hot = shard.hots.get(part.deployment)
    absorbed, done = shard.predictions + shard.labels + 1, task.late.get(part.deployment, ())
    merged: list[WindowResult] = []
    records: Records = []
    kept: list[Window] = []
    if hot is not None:
        edge = _edge(shard, hot)
        kept = [merge for merge in part.merges if edge.is_kept(merge)]
        records = _keep_days(shard, hot, part)
        place = Place(shard.partition, absorbed, now_ms)
        horizon_ms = partial(shard.horizon_ms, hot, hot.observed_ms)
        merged = [
            result_of(hot, one, shard.book.terms(hot.name, one.version, one.end_ms), place, horizon_ms(one))
            for one in sorted(kept)
            if hot.days.within(one.version, one.slot, one.start_ms, one.end_ms)
        ]
        for one in part.results:
            if one.resolution == "1d":
                hot.said[Window(one.model_version, one.slot, "1d", one.window_start_ms)] = one.provisional
    results = (
        restated(one, absorbed, 0 if hot is None else hot.late.rows_beside(done, one.model_version, one.slot))
        for one in [*part.results, *merged]
    )
    return results, records, len(kept) == len(part.merges)


def join_done(shard: Shard, task: JoinTask, failed: Mapping[str, Failure] = MappingProxyType({})) -> None:
    """Take out of a shard what was restated; what came since stays, and what is of deployments that failed."""
    for name, late in task.late.items():
        if name not in failed:
            hot = shard.hots[name]
            hot.late.restated(late)
            hot.late_of |= {
                (one.version, one.slot) for one in late if one.version is not None and one.slot is not None
            }
            shard.changed.add(name)
    shard.dirty.restated(task.positions[1])
    for failure in failed.values():
        shard.dirty.put_back(failure.labels)
    # The row of the state is written with any deployment.
    shard.changed |= set(list(shard.hots)[:1])


def _keep_days(shard: Shard, hot: Hot, part: Part) -> Records:
    if hot.closed_ms == NEVER:
        return []
    oldest = hot.kept_from_ms(shard.rules.kept_days)
    mine = {
        key: one for key, one in part.days.items() if isinstance(one, Outcomes) and key.start_ms >= oldest
    }
    for key, one in mine.items():
        hot.days.put(key, one)
    return [(day_key(hot.name, key), pack(one)) for key, one in mine.items()]


def _edge(shard: Shard, hot: Hot) -> Edge:
    # Days that were pushed out are still kept as what they came to, and for weeks and months no more is needed.
    kept_from_ms, gaps = hot.kept_from_ms(shard.rules.kept_days), tuple(hot.gaps.held)
    return Edge(hot.closed_ms, dict(hot.floors_ms), shard.rules.hot_windows, kept_from_ms, gaps)
