"""Maturity: when labels are so many, or so late, that figures are not provisional any more."""

from __future__ import annotations

import numpy as np
import pytest
from joined_tables import Book
from judged_windows import CHURN
from truth_models import predictions, profile_of_model

from driftline.schemas.columns import LabelColumns
from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.window import WindowResult
from driftline.streams.join.maturity import delays, observed_ms, provisional
from driftline.streams.join.outcomes import Outcomes
from driftline.streams.join.shard import Shard
from driftline.streams.windows.kernel import LATENCY_BINS
from driftline.streams.windows.latency import latency_bins
from driftline.streams.windows.rules import Rules

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
END_MS = 1_750_032_000_000
PRIMARY = ("performance", "log_loss", "")


def sketch(*values_s: float) -> np.ndarray:
    """A sketch of delays in s."""
    return np.bincount(latency_bins(np.array(values_s, float)), minlength=LATENCY_BINS)


@pytest.mark.parametrize(
    ("labels", "watermark_ms", "horizon_ms", "is_provisional"),
    [
        (95, END_MS, None, False),
        (94, END_MS, None, True),
        (94, END_MS + 1_000 * HOUR_MS, None, True),
        (94, END_MS + HOUR_MS - 1, HOUR_MS, True),
        (94, END_MS + HOUR_MS, HOUR_MS, False),
        (1, END_MS + HOUR_MS, HOUR_MS, False),
        (0, END_MS + HOUR_MS, HOUR_MS, True),
        (0, END_MS + 10_000 * HOUR_MS, None, True),
    ],
)
def test_provisional(labels: int, watermark_ms: int, horizon_ms: int | None, *, is_provisional: bool) -> None:
    """95 % of the predictions have a label, or the horizon has passed since the window's end and some have."""
    why = provisional(Outcomes("", predictions=100, labels=labels), END_MS, watermark_ms, horizon_ms)
    assert bool(why) is is_provisional
    if why:
        assert f"{labels}%" in why


def test_delays_are_those_of_the_labels() -> None:
    """Median and nine-tenths of the delays lie within 1 % of the true ones; without labels there are none."""
    assert delays(Outcomes("")) == (None, None)
    values = np.arange(1, 1_001, dtype=float)
    median, ninety = delays(Outcomes("", delays=sketch(*values)))
    assert median == pytest.approx(500, rel=0.011)
    assert ninety == pytest.approx(900, rel=0.011)


def test_the_horizon_is_what_nearly_all_labels_took() -> None:
    """99 of 100 delays lie below it, to 1 %; nothing is known while fewer than half of the predictions have a label."""
    assert observed_ms(sketch(), 0) is None
    found = observed_ms(sketch(*np.arange(1, 1_001)), 1_000)
    assert found == pytest.approx(990_000, rel=0.011)
    assert observed_ms(sketch(0.0, 0.0), 4) == 0
    assert observed_ms(sketch(0.0, 0.0), 5) is None


class Flow:
    """A worker that is told of predictions an hour at a time, and what it publishes of the first day."""

    def __init__(self, **settings: object) -> None:
        told = DeploymentSettings(deployment="churn", minimum_rows=50, **settings)  # type: ignore[arg-type]
        self.shard = Shard(
            0, Book(profile_of_model(CHURN, "1", 1), told), Rules(hot_windows=60, kept_days=90)
        )
        self.ids = np.random.default_rng(1).integers(0, 256, (400, 16), dtype=np.uint8)
        self.start_ms = END_MS // DAY_MS * DAY_MS
        self.offset = 0

    def say(self, at_ms: int, ids: np.ndarray) -> None:
        """Predict ids at a time after the start of the day."""
        scores, _, region = CHURN.answers(np.random.default_rng(2), len(ids))
        times = np.full(len(ids), self.start_ms + at_ms, np.int64)
        self.shard.take_predictions(
            self.offset, predictions(CHURN, "1", "champion", ids, scores, region, times), 0
        )
        self.offset += 1

    def label(self, ids: np.ndarray, after_ms: int) -> None:
        """Label ids, so long after the start of the day."""
        known = np.full(len(ids), self.start_ms + after_ms, np.int64)
        cols = LabelColumns("churn", len(ids), None, ids, None, known, numbers=np.ones(len(ids)))
        self.shard.take_labels(self.offset, cols, 0)
        self.offset += 1

    def day(self) -> list[WindowResult]:
        """Publish; give what is said of the first day."""
        found = [
            one
            for one in self.shard.results(0)
            if (one.resolution, one.window_start_ms) == ("1d", self.start_ms)
        ]
        self.shard.commit()
        return found


def verdict(result: WindowResult) -> str | None:
    """The verdict on the log loss of all rows."""
    (found,) = [one.verdict for one in result.figures if (one.kind, one.metric, one.segment) == PRIMARY]
    return found


def test_time_alone_ends_a_declared_wait() -> None:
    """Half of a closed day has labels: once the watermark has passed the horizon it is published again, and judged."""
    flow = Flow(label_horizon_hours=5.0)
    flow.say(HOUR_MS, flow.ids[:200])
    flow.label(flow.ids[:100], HOUR_MS)
    flow.say(DAY_MS + HOUR_MS, flow.ids[200:201])
    (closed,) = flow.day()
    assert (closed.final, closed.provisional, verdict(closed)) == (True, True, "inconclusive")
    flow.say(DAY_MS + 4 * HOUR_MS, flow.ids[201:202])
    assert flow.day() == []
    flow.say(DAY_MS + 6 * HOUR_MS, flow.ids[202:203])
    (mature,) = flow.day()
    assert (mature.labels, mature.provisional) == (closed.labels, False)
    assert verdict(mature) in ("ok", "warn", "fail")


def test_labels_end_the_wait_before_the_horizon() -> None:
    """When nearly all labels are there nothing is waited for any more."""
    flow = Flow(label_horizon_hours=500.0)
    flow.say(HOUR_MS, flow.ids[:200])
    flow.label(flow.ids[:100], HOUR_MS)
    flow.say(DAY_MS + HOUR_MS, flow.ids[200:201])
    assert [one.provisional for one in flow.day()] == [True]
    flow.label(flow.ids[100:190], 2 * HOUR_MS)
    assert [one.provisional for one in flow.day()] == [False]


def test_without_a_declared_horizon_labels_are_waited_for_as_long_as_they_took() -> None:
    """The observed delays say how long: labels of some hours, and a day that waits as many."""
    flow = Flow()
    flow.say(HOUR_MS, flow.ids[:200])
    flow.label(flow.ids[:150], 6 * HOUR_MS)
    flow.say(DAY_MS + HOUR_MS, flow.ids[200:201])
    assert [one.provisional for one in flow.day()] == [True]
    flow.say(DAY_MS + 6 * HOUR_MS, flow.ids[201:202])
    assert [one.provisional for one in flow.day()] == [False]


def test_the_quick_labels_do_not_end_the_wait() -> None:
    """A few labels within the hour say nothing of the many that are still to come: the day stays provisional."""
    flow = Flow()
    flow.say(HOUR_MS, flow.ids[:200])
    flow.label(flow.ids[:6], 2 * HOUR_MS)
    flow.say(DAY_MS + 20 * HOUR_MS, flow.ids[200:201])
    assert [one.provisional for one in flow.day()] == [True]
