"""Exact: the rows of closed windows as they are, those that count by the rule that counts them in windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.streams.clickhouse import fact_reads
from driftline.streams.clickhouse.fact_reads import Stretch
from driftline.streams.join.cell import cell_width
from driftline.streams.join.due import Place
from driftline.streams.replay.choice import Listed
from driftline.streams.replay.cold import hull
from driftline.streams.replay.duplicates import Duplicates
from driftline.streams.replay.rejoin import Rejoin

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from driftline.streams.clickhouse.client import Client
    from driftline.streams.join.terms import Book
    from driftline.streams.join.unbinned import Unbinned
    from driftline.streams.windows.rules import Rules
    from driftline.streams.windows.window import Window


def exact_rows(
    client: Client, deployment: str, windows: Collection[Window], book: Book, rules: Rules
) -> Iterator[tuple[Window, Unbinned]]:
    """Give the rows of counted windows of a deployment, those of one hour or day at a time.

    Args:
        client: where the archive is.
        deployment: its name.
        windows: of an hour or day, or narrower; all of versions with a profile.
        book: by what they are counted.
        rules: by which memory takes facts.

    Raises:
        ClickHouseError: the server is away or refuses.
        ReplayError: an hour or day takes more than memory is allowed for.
    """
    together: dict[tuple[int, int], list[Window]] = {}
    for window in sorted(windows):
        width_ms = cell_width(book.resolutions(deployment, window.version))
        together.setdefault(hull([window], width_ms), []).append(window)
    duplicates = Duplicates(client, deployment, min(since_ms for since_ms, _ in together), rules)
    for span, mine in sorted(together.items()):
        stretch = Stretch(deployment, *span)
        rejoin = Rejoin(deployment, Place(0, 0, 0), Listed.of(mine), book, rules.hot_windows)
        for truth in fact_reads.labels(client, stretch):
            rejoin.take_labels(0, truth)
        for offsets, cols in duplicates.rows(stretch):
            rejoin.take_duplicates(offsets, cols)
        for offsets, cols in fact_reads.answers(client, stretch):
            rejoin.take(offsets, cols, duplicates.reached_ms(offsets))
        rejoin.hot.settle()
        for window in mine:
            yield window, rejoin.unbinned(window)
