"""Again: cold performance windows of one deployment, counted whole out of the archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.streams.clickhouse import fact_reads
from driftline.streams.clickhouse.fact_reads import Stretch
from driftline.streams.join.cell import cell_width
from driftline.streams.join.due import Place
from driftline.streams.join.outcomes_bytes import pack
from driftline.streams.replay.beside import Beside
from driftline.streams.replay.choice import Listed
from driftline.streams.replay.cold import FOREVER, hull, merges_of, runs
from driftline.streams.replay.merged import merged_join, unkept
from driftline.streams.replay.part import Part, slices
from driftline.streams.replay.rejoin import Rejoin
from driftline.streams.windows.book import NEVER
from driftline.streams.windows.resolution import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from driftline.schemas.window import WindowResult
    from driftline.streams.clickhouse.client import Client
    from driftline.streams.join.hot import Window
    from driftline.streams.join.kept import CellKey
    from driftline.streams.join.terms import Book
    from driftline.streams.replay.cold import Edge
    from driftline.streams.replay.tasks import JoinTask


def join_again(
    client: Client,
    task: JoinTask,
    name: str,
    windows: set[Window],
    edge: Edge,
    book: Book,
    now_ms: int,
    settled: Callable[[], None],
) -> Iterator[Part]:
    """Count the cold windows of a deployment again, some days at a time.

    Args:
        client: where the archive is.
        task: of which they are.
        name: of the deployment.
        windows: to be counted.
        edge: where hot ends.
        book: by what windows are counted and judged.
        now_ms: wall-clock time, ms.
        settled: returns when the archive holds all windows published so far.

    Raises:
        ClickHouseError: the server is away or refuses.
    """
    watermark_ms = edge.watermark_ms
    if watermark_ms == NEVER:
        watermark_ms = fact_reads.newest_ms(client, name) or NEVER
    place = Place(task.partition, 0, now_ms)
    packed: dict[CellKey, bytes] = {}
    span = hull(windows, DAY_MS)
    beside = Beside(client, name, span[0], task.rules)
    for mine in runs(windows, fact_reads.rows_by_day(client, Stretch(name, *span))):
        rejoin = Rejoin(name, place, Listed.of(mine), book, task.rules.hot_windows, FOREVER)
        width = max(cell_width(book.resolutions(name, window.version)) for window in mine)
        stretch = Stretch(name, *hull(mine, width))
        for truth in fact_reads.labels(client, stretch):
            rejoin.take_labels(0, truth)
        for offsets, cols in beside.rows(stretch):
            rejoin.take_beside(offsets, cols)
        for offsets, cols in fact_reads.answers(client, stretch):
            rejoin.take(offsets, cols, beside.reached_ms(offsets))
        yield from slices(name, rejoin.results(watermark_ms, now_ms))
        yield from slices(name, _emptied(client, rejoin, mine - rejoin.told))
        days = rejoin.hot.days.all()
        packed |= {key: pack(one) for key, one in days.items()}
        yield Part(name, [], days, {merge for merge in merges_of(mine) if edge.is_kept(merge)})
    merges = unkept(windows, edge, settled)
    found = (merged_join(client, name, watermark_ms, one, packed, book, place) for one in merges)
    yield from slices(name, (one for one in found if one is not None))


def _emptied(client: Client, rejoin: Rejoin, windows: set[Window]) -> Iterator[WindowResult]:
    """Give windows that were published and hold no prediction any more, because all their ids count elsewhere."""
    alike: dict[tuple[str, str, str], set[Window]] = {}
    for window in windows:
        alike.setdefault(window[:3], set()).add(window)
    for some in alike.values():
        last_ms = max(window.start_ms for window in some)
        there = fact_reads.published(client, rejoin.hot.name, min(some), last_ms + 1, "accuracy")
        yield from (rejoin.emptied(window) for window in sorted(some) if window.start_ms in there)
