"""The join stays within its cap, whatever comes (P9)."""

from __future__ import annotations

import numpy as np

from driftline.schemas.columns import LabelColumns, NumericBlock, PredictionColumns
from driftline.schemas.deployment import DeploymentSettings
from driftline.streams.join.hot import CELL_BYTES, DAY_BYTES, HOT_BYTES, SAID_BYTES
from driftline.streams.join.lanes import Lanes, Record
from driftline.streams.join.scheme import Scheme
from driftline.streams.join.shard import Shard
from driftline.streams.join.terms import Terms
from driftline.streams.windows.rules import Rules

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
START_MS = 1_750_032_000_000 // DAY_MS * DAY_MS
CAP = 200_000
SCHEME = Scheme("ab" * 32, "binary", ("0", "1"), ("score",), edges=np.array([0.5]))


class Book:
    """One scheme for all, counted by days, or as somebody has said since."""

    widths: tuple[str, ...] = ()

    def terms(self, deployment: str, _version: str, _at_ms: int) -> Terms:
        """The scheme, and nobody's settings."""
        return Terms(DeploymentSettings(deployment=deployment), scheme=SCHEME)

    def resolutions(self, _deployment: str, version: str) -> tuple[str, ...]:
        """Days alone, or five minutes alone."""
        return self.widths or (("5m",) if version == "short" else ("1d",))


def ids(first: int, rows: int) -> np.ndarray:
    """Ids that count upwards."""
    found = np.zeros((rows, 16), np.uint8)
    found[:, 8:] = np.arange(first, first + rows, dtype=">u8").reshape(-1, 1).view(np.uint8).reshape(rows, 8)
    return found


def predictions(first: int, rows: int, day: int) -> PredictionColumns:
    """Predictions of one day, every second one right."""
    scores = [NumericBlock(("score",), np.where(np.arange(rows) % 2, 0.9, 0.1)[None, :].astype(np.float32))]
    times = np.full(rows, START_MS + day * DAY_MS, np.int64)
    return PredictionColumns("d", "1", "champion", rows, None, ids(first, rows), None, times, scores=scores)


def truths(name: str, first: int, rows: int) -> LabelColumns:
    """Labels that say 1."""
    known = np.full(rows, START_MS, np.int64)
    return LabelColumns(name, rows, None, ids(first, rows), None, known, numbers=np.ones(rows))


def test_labels_of_nobody_do_not_grow() -> None:
    """Labels whose predictions never come are let go past the cap, and a million of one id take one place."""
    shard = Shard(0, Book(), Rules(held_bytes=CAP))
    for offset in range(20):
        shard.take_labels(offset, truths("nobody", offset * 1000, 1000), 0)
        list(shard.results(0))
        shard.commit()
        assert shard.nbytes <= CAP
    for offset in range(20, 40):
        shard.take_labels(offset, truths("one", 7, 1), 0)
    list(shard.results(0))
    shard.commit()
    assert len(shard.hots["one"].labels.rows) == 1


def test_past_the_cap_the_oldest_days_go_cold_as_they_were_published() -> None:
    """Days pushed out keep their last result; what comes for them later is late, and newer days go on."""
    shard = Shard(0, Book(), Rules(held_bytes=CAP, hot_windows=100))
    published: dict[int, tuple[int, int]] = {}
    for day in range(8):
        shard.take_predictions(day, predictions(day * 2000, 2000, day), 0)
        shard.take_labels(day, truths("d", day * 2000, 2000), 0)
        for result in shard.results(0):
            if result.resolution == "1d":
                published[(result.window_start_ms - START_MS) // DAY_MS] = (result.rows, result.labels)
        shard.commit()
        assert shard.nbytes <= CAP
    assert published == dict.fromkeys(range(8), (2000, 2000))
    shard.take_predictions(8, predictions(50_000, 10, 0), 0)
    assert shard.hots["d"].late.total == 10
    days = [key for key in shard.hots["d"].days if key.start_ms == START_MS]
    assert len(days) == 1


def test_a_label_finds_a_narrow_window_while_that_is_hot() -> None:
    """Of an hour whose first five minutes are long cold, the last ones still take labels."""
    shard = Shard(0, Book(), Rules(hot_windows=1))
    cols = predictions(0, 10, 0)
    cols.model_version = "short"
    cols.times_ms = START_MS + np.arange(10) * 6 * 60_000
    shard.take_predictions(0, cols, 0)
    list(shard.results(0))
    shard.commit()
    shard.take_labels(0, truths("d", 9, 1), 0)
    found = [(one.window_start_ms - START_MS, one.labels) for one in shard.results(0)]
    assert found == [(45 * 60_000, 0), (50 * 60_000, 1)]


def test_what_is_held_is_weighed_at_every_step() -> None:
    """The bytes that the cap is held against are those of all columns, before and after each step."""
    shard = Shard(0, Book(), Rules(hot_windows=1))

    def weighed() -> int:
        (hot,) = shard.hots.values()
        facts = hot.labels.nbytes + hot.repeats.nbytes + sum(cell.nbytes for cell in hot.cells.values())
        counted = hot.outcomes.nbytes + hot.days.nbytes + hot.estimates.nbytes
        beside = CELL_BYTES * len(hot.cells) + DAY_BYTES * len(hot.days) + SAID_BYTES * len(hot.said)
        return facts + counted + beside + HOT_BYTES

    for day in range(5):
        shard.take_predictions(day, predictions(day * 50, 100, day), 0)
        assert shard.nbytes == weighed() > 0
        shard.take_labels(day, truths("d", day * 70, 100), day * 200_000_000)
        assert shard.nbytes == weighed()
        list(shard.results(0))
        assert shard.nbytes == weighed()
        shard.commit()
        assert shard.nbytes == weighed()


def test_the_older_record_of_two_logs_comes_first() -> None:
    """A record is given once it is known that the other log has none that is older."""
    lanes = Lanes()
    lanes.put("predictions", Record(0, 20, b"d", b"x"))
    assert lanes.next() is None
    lanes.put("labels", Record(0, 10, b"d", b"y"))
    assert lanes.next() == ("labels", Record(0, 10, b"d", b"y"))
    assert lanes.next() is None
    lanes.ended("labels")
    assert lanes.next() == ("predictions", Record(0, 20, b"d", b"x"))
    assert not lanes.is_read
    lanes.ended("predictions")
    assert lanes.is_read
    assert lanes.size_bytes == {"predictions": 0, "labels": 0}


def test_hours_asked_for_within_a_day_are_counted_from_then_on() -> None:
    """What lies in a cell of a whole day makes no hour; the day holds the rows of before and after."""
    book = Book()
    shard = Shard(0, book, Rules(held_bytes=10**9))
    shard.take_predictions(0, at(0, 100, (0, 2, 5)), 0)
    list(shard.results(0))
    shard.commit()
    book.widths = ("5m", "1h", "1d")
    shard.take_predictions(1, at(500, 80, (0, 7)), 0)
    found = {(one.resolution, one.window_start_ms - START_MS): one.rows for one in shard.results(0)}
    assert found["1d", 0] == 460
    assert {key: rows for key, rows in found.items() if key[0] in ("5m", "1h")} == {
        ("1h", 7 * HOUR_MS): 80,
        ("5m", 7 * HOUR_MS): 80,
    }


def at(first: int, rows: int, hours: tuple[int, ...]) -> PredictionColumns:
    """Predictions in some hours of the first day."""
    cols = predictions(first, rows * len(hours), 0)
    cols.times_ms[:] += np.repeat(hours, rows) * HOUR_MS
    return cols
