"""Merged: weeks and months that memory no longer merges, from their days as they were published or restated."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from driftline.streams.clickhouse import window_reads
from driftline.streams.join.due import Place, result_of, waited_ms
from driftline.streams.join.hot import Hot
from driftline.streams.join.kept import CellKey
from driftline.streams.join.outcomes import Outcomes
from driftline.streams.join.outcomes_bytes import unpack
from driftline.streams.replay.cold import Edge, merges_of
from driftline.streams.replay.recount import merged_of
from driftline.streams.windows.counters import Counters, CountersError
from driftline.streams.windows.held import PaneKey, StateError
from driftline.streams.windows.layout import Layout
from driftline.streams.windows.window import Window

if TYPE_CHECKING:
    from driftline.schemas.window import WindowResult
    from driftline.streams.clickhouse.client import Client
    from driftline.streams.clickhouse.window_reads import Published
    from driftline.streams.join.terms import Book
    from driftline.streams.replay.tasks import DriftTask
    from driftline.streams.windows.profiles import Profiles
    from driftline.streams.windows.rules import Rules

logger = logging.getLogger(__name__)


def merged_drift(
    client: Client,
    task: DriftTask,
    profiles: Profiles,
    rules: Rules,
    now_ms: int,
    packed: dict[CellKey, bytes],
    merges: Sequence[Window],
) -> Iterator[WindowResult]:
    """Give weeks and months that are not kept in memory, from their days as they are now."""
    for merge in merges:
        published = window_reads.published_days(client, task.deployment, merge, "drift")
        counted = _days(profiles, task.deployment, merge, published, packed)
        if counted:
            shard = (task.deployment, task.partition, profiles, rules)
            yield merged_of(*shard, merge, counted, task.edge.watermark_ms, now_ms)


def merged_join(
    client: Client,
    name: str,
    watermark_ms: int,
    merge: Window,
    packed: dict[CellKey, bytes],
    book: Book,
    place: Place,
) -> WindowResult | None:
    """Give a week or month that is not kept in memory, from its days as they are now; None without any.

    How long labels take, where nobody declares it, is what they took on those days.
    """
    hot = Hot(name, watermark_ms=watermark_ms)
    for start, day in window_reads.published_days(client, name, merge, "accuracy").items():
        try:
            outcomes = unpack(day.counts)
        except ValueError as error:
            logger.warning(
                "%s of %d is restated without %d: %s", merge.resolution, merge.start_ms, start, error
            )
            outcomes = Outcomes("", predictions=day.rows)
        hot.days.put(CellKey(merge.version, merge.slot, start), outcomes)
    for key, counts in packed.items():
        if _is_in(merge, key):
            hot.days.put(key, unpack(counts))
    if not len(hot.days):
        return None
    terms = book.terms(name, merge.version, merge.end_ms)
    return result_of(hot, merge, terms, place, terms.horizon_ms(waited_ms(hot, None, merge)))


def unkept(windows: set[Window], edge: Edge, settled: Callable[[], None]) -> list[Window]:
    """The weeks and months that are merged from what was published, in order, once all of that is stored."""
    merges = sorted(
        merge for merge in merges_of(windows) if not (edge.is_kept(merge) or edge.is_untold(merge))
    )
    if merges:
        settled()
    return merges


def _is_in(merge: Window, key: CellKey) -> bool:
    return (key.version, key.slot) == (
        merge.version,
        merge.slot,
    ) and merge.start_ms <= key.start_ms < merge.end_ms


def _days(
    profiles: Profiles,
    name: str,
    merge: Window,
    stored: dict[int, Published],
    packed: dict[CellKey, bytes],
) -> dict[int, Counters]:
    """The days of a week or month, by start: as restated, else as published.

    Of a day that cannot be read, as its profile or its counts are gone, the rows are told: it is left out.
    """
    mine = profiles.layout(name, merge.version)
    found = {
        key.start_ms: Counters.from_bytes(mine, data) for key, data in packed.items() if _is_in(merge, key)
    }
    for start, day in stored.items():
        if start not in found:
            try:
                key = PaneKey(name, merge.version, merge.slot, "1d", start)
                found[start] = Counters.from_bytes(profiles.layout_of(key, day.digest), day.counts)
            except (StateError, CountersError) as gone:
                logger.warning(
                    "%s of %d is restated without %d: %s", merge.resolution, merge.start_ms, start, gone
                )
                found[start] = Counters(Layout.without_profile(name, merge.version))
                found[start].rows = day.rows
    return found
