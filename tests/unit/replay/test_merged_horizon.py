"""Weeks and months that are merged from what was published wait for labels as long as those in memory do."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.schemas.deployment import DeploymentSettings
from driftline.streams.clickhouse import window_reads
from driftline.streams.clickhouse.window_reads import Published
from driftline.streams.join.due import Place
from driftline.streams.join.outcomes import Outcomes
from driftline.streams.join.outcomes_bytes import pack
from driftline.streams.join.terms import Terms
from driftline.streams.replay.merged import merged_join
from driftline.streams.windows.kernel import LATENCY_BINS
from driftline.streams.windows.latency import latency_bins
from driftline.streams.windows.resolution import DAY_MS
from driftline.streams.windows.window import Window

HOUR_MS = 3_600_000
WEEK = Window("1", "champion", "7d", 1_750_032_000_000 // (7 * DAY_MS) * 7 * DAY_MS - 3 * DAY_MS)
HOURS_LATE = 2


class Book:
    """Declares a horizon, or none."""

    def __init__(self, hours: float | None) -> None:
        self._hours = hours

    def terms(self, deployment: str, _version: str, _at_ms: int) -> Terms:
        """Give the settings."""
        return Terms(DeploymentSettings(deployment=deployment, label_horizon_hours=self._hours))

    def resolutions(self, _deployment: str, _version: str) -> tuple[str, ...]:
        """Count days."""
        return ("1d",)


@pytest.mark.parametrize(
    ("declared", "hours_after", "is_provisional"),
    [(48, 47, True), (48, 48, False), (None, HOURS_LATE / 2, True), (None, HOURS_LATE * 1.1, False)],
)
def test_a_merged_week_is_provisional_until_its_horizon(
    monkeypatch: pytest.MonkeyPatch, declared: float | None, hours_after: float, *, is_provisional: bool
) -> None:
    """The declared horizon counts from the week's end, without one what the labels of its days took."""
    bins = np.bincount(latency_bins(np.full(90, HOURS_LATE * 3600.0)), minlength=LATENCY_BINS)
    day = Outcomes("", predictions=100, labels=90, delays=bins)
    published = {WEEK.start_ms + at * DAY_MS: Published("", pack(day), 100) for at in range(2)}
    monkeypatch.setattr(window_reads, "published_days", lambda *_: published)
    watermark_ms = WEEK.end_ms + round(hours_after * HOUR_MS)
    found = merged_join(None, "churn", watermark_ms, WEEK, {}, Book(declared), Place(0, 0, 0))  # type: ignore[arg-type]
    assert (found.final, found.rows, found.labels) == (True, 200, 180)
    assert found.provisional is is_provisional
