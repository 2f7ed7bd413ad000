"""New widths: what a version is counted by changes at a checkpoint, so that the gap this leaves is stored first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.streams.windows.gaps import Now
from driftline.streams.windows.resolution import MERGED, Resolution
from driftline.streams.windows.window import Window

if TYPE_CHECKING:
    from driftline.streams.windows.book import Book
    from driftline.streams.windows.shard import Shard


def widths_of(shard: Shard, book: Book, version: str) -> tuple[str, ...]:
    """Give what rows of a version are counted by until the next checkpoint."""
    widths = book.gaps.widths.get(version)
    if widths is None:  # first met: no row of it was counted before, so that nothing is missing
        widths = book.gaps.widths[version] = shard.profiles.resolutions(book.deployment, version)
    return widths


def adopt_widths(shard: Shard, book: Book) -> None:
    """Count by what is wanted now, and ask the archive for gaps that are cold; for the plan of a checkpoint.

    Weeks and months of a gap that the archive has filled are due.
    """

    def cold_before(resolution: str) -> int:
        return book.cold_before(resolution, book.watermark_ms, shard.rules.hot_windows)

    gaps, mine = book.gaps, shard.index[book.deployment]
    gaps.forget({key.version for key in mine}, book.newest_ms)
    for version in gaps.widths:
        gaps.watch(version, shard.profiles.resolutions(book.deployment, version), book.newest_ms, cold_before)
    for gap in gaps.ask(book.late, Now(shard.position, book.newest_ms, 0), cold_before):
        days = [key for key in mine if key.resolution == "1d"]
        merges = {
            Window(day.version, day.slot, name, Resolution(name).start(day.start_ms))
            for day in days
            for name in MERGED
        }
        shard.merges_waiting |= {(book.deployment, *merge) for merge in merges if gap.silences(merge)}
