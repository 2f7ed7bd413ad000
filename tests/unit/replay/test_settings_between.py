"""Settings that change within a span: what is counted by them, in memory and again, is what holds at a window's end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cold_world import DAY_MS, HOUR_MS, SCHEME, START_MS

from driftline.schemas.columns import Category, LabelColumns, NumericBlock, PredictionColumns
from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.window import WindowResult
from driftline.streams.join.due import Place
from driftline.streams.join.outcomes_bytes import unpack
from driftline.streams.join.scheme import Scheme, Segment
from driftline.streams.join.shard import Shard
from driftline.streams.join.terms import Terms
from driftline.streams.replay.choice import Span
from driftline.streams.replay.rejoin import Rejoin
from driftline.streams.windows.rules import Rules
from driftline.streams.windows.window import Window

ROWS, DAYS = 150, 3
LOWER = replace(SCHEME, threshold=0.3, identity="lower")
MORE = replace(SCHEME, quantiles=(("least", 0.1),), identity="more")
REGION = Segment("region", ("north", "south"))
SPLIT = replace(LOWER, segments=(REGION,), identity="split")
TWO = replace(SCHEME, segments=(Segment("tier", ("gold",)), REGION), identity="two")
WIDTHS_MS = {"1h": HOUR_MS, "1d": DAY_MS}

DRAW = np.random.default_rng(3)
TIMES = np.sort(START_MS + DRAW.integers(0, DAYS * DAY_MS, ROWS))
IDS = DRAW.integers(0, 256, (ROWS, 16), dtype=np.uint8)
SCORES = DRAW.random(ROWS).astype(np.float32)
TRUTH = (DRAW.random(ROWS) < SCORES).astype(float)
LABELS = LabelColumns("d", ROWS, None, IDS, None, TIMES, numbers=TRUTH)


class Book:
    """Settings that change at a time, and what is counted by them from then on."""

    def __init__(self, change_ms: int, widths: tuple[str, ...], schemes: tuple[Scheme, Scheme]) -> None:
        self.change_ms, self.widths, self.schemes = change_ms, widths, schemes

    def terms(self, deployment: str, _version: str, at_ms: int) -> Terms:
        """What holds at a time."""
        scheme = self.schemes[at_ms >= self.change_ms]
        return Terms(DeploymentSettings(deployment=deployment), scheme=scheme)

    def resolutions(self, _deployment: str, _version: str) -> tuple[str, ...]:
        """What is wanted."""
        return self.widths


def batches(size: int) -> list[PredictionColumns]:
    """The predictions, so many in a batch."""
    parts = [slice(at, at + size) for at in range(0, ROWS, size)]
    return [
        PredictionColumns(
            "d", "1", "champion", len(TIMES[part]), None, IDS[part], None, TIMES[part],
            scores=[NumericBlock(("score", "least"), np.stack([SCORES[part], SCORES[part] / 2]))],
            segments=[Category("region", ("north", "south"), np.arange(ROWS)[part].astype(np.int32) % 2)],
        )
        for part in parts
    ]  # fmt: skip


def again(book: Book, size: int) -> list[WindowResult]:
    """What a restatement gives that reads the archive in blocks of so many rows."""
    rejoin = Rejoin("d", Place(0, 0, 0), Span(0, 2 * START_MS), book, 0)
    rejoin.take_labels(0, LABELS)
    for offset, cols in enumerate(batches(size)):
        rejoin.take(offset, cols, 1 << 61)
    return list(rejoin.results(START_MS + 10 * DAY_MS, 0))


def live(book: Book) -> list[WindowResult]:
    """What the worker gives that reads batch after batch."""
    shard = Shard(0, book, Rules(hot_windows=60, kept_days=90))
    for offset, cols in enumerate(batches(20)):
        shard.take_predictions(offset, cols, 0)
    shard.take_labels(0, LABELS, 0)
    return list(shard.results(0))


def exact(book: Book, start_ms: int) -> tuple[int, int]:
    """Rows and labels of a day as `driftline windows --exact` joins them."""
    rejoin = Rejoin("d", Place(0, 0, 0), Span(0, 2 * START_MS), book, 0)
    rejoin.take_labels(0, LABELS)
    for offset, cols in enumerate(batches(ROWS)):
        rejoin.take(offset, cols, 1 << 61)
    rejoin.hot.settle()
    found = rejoin.unbinned(Window("1", "champion", "1d", start_ms))
    return found.predictions, found.labels


def hits(book: Book, width_ms: int) -> dict[int, tuple[int, int]]:
    """Rows of each window, and of them those that the threshold in force at its end gets right."""
    found = {}
    for start in np.unique(TIMES // width_ms * width_ms).tolist():
        mine = (start <= TIMES) & (start + width_ms > TIMES)
        cut = 0.5 if start + width_ms < book.change_ms else 0.3
        found[start] = (int(mine.sum()), int(((cut < SCORES) == (TRUTH == 1))[mine].sum()))
    return found


@pytest.mark.parametrize("widths", [("1d",), ("1h", "1d")])
@pytest.mark.parametrize(
    ("hours", "schemes"),
    [
        (48, (SCHEME, LOWER)),
        (60.5, (SCHEME, LOWER)),
        (60, (SCHEME, SPLIT)),
        (60, (MORE, LOWER)),
        (60, (TWO, SPLIT)),
    ],
    ids=["midnight", "threshold", "segments", "fewer quantiles", "fewer segments"],
)
def test_a_window_counts_by_what_holds_at_its_end(
    widths: tuple[str, ...], hours: float, schemes: tuple[Scheme, Scheme]
) -> None:
    """Batches, blocks and hours on both sides of a change: each window has all its rows, by the terms of its end."""
    book = Book(START_MS + round(hours * HOUR_MS), widths, schemes)
    for start, (rows, _) in hits(book, DAY_MS).items():
        assert exact(book, start) == (rows, rows)
    for results in (live(book), again(book, 20), again(book, ROWS)):
        for width in widths:
            mine = {one.window_start_ms: one for one in results if one.resolution == width}
            counted = {start: unpack(one.counts) for start, one in mine.items()}
            found = {
                start: (mine[start].rows, int(np.trace(one.confusion))) for start, one in counted.items()
            }
            assert found == hits(book, WIDTHS_MS[width])
            if schemes == (TWO, SPLIT):
                regions = {start: one.groups["region"].values() for start, one in counted.items()}
                told = {start: sum(part.predictions for part in parts) for start, parts in regions.items()}
                assert told == {start: one.rows for start, one in mine.items()}


def test_a_month_outlives_a_change_of_segments() -> None:
    """Its totals are of all its days, its figures by segment of those from then on; after another change neither."""
    change = START_MS + 36 * HOUR_MS
    first = int((change // DAY_MS * DAY_MS > TIMES).sum())
    for after, whole in (
        (replace(SCHEME, segments=(REGION,), identity=f"{SCHEME.identity}/x"), True),
        (LOWER, False),
    ):
        book = Book(change, ("1d",), (SCHEME, after))
        for results in (live(book), again(book, 20), again(book, ROWS)):
            (month,) = [one for one in results if one.resolution == "1M"]
            found = unpack(month.counts)
            assert (month.rows, month.labels) == (ROWS, ROWS)
            assert found.confusion.sum() == (ROWS if whole else ROWS - first)
            if whole:
                assert sum(one.predictions for one in found.groups["region"].values()) == ROWS - first
