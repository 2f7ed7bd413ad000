"""Figures of health: what is undefined, what a profile's own statuses hide, and where windows have them."""

from __future__ import annotations

import numpy as np
import pytest
from counting import batch, profile_of
from shards import BASE_MS, DAY_MS, HOUR_MS, RowsOnly
from shards import batch as sent

from driftline.schemas.window import Figure, WindowResult
from driftline.streams.windows.checkpoint import plan
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.health_figures import counted_ms, health_figures
from driftline.streams.windows.judge import judge
from driftline.streams.windows.layout import Layout
from driftline.streams.windows.resolution import Resolution
from driftline.streams.windows.rules import Rules
from driftline.streams.windows.shard import Shard

METRICS = ["rate", "errors", "errors_error", "errors_timeout", "errors_rejected", "errors_invalid", "errors_unknown",
           "status_known", "latency_p50", "latency_p95", "latency_p99", "latency_known"]  # fmt: skip


def values(counters: Counters, span_ms: int = HOUR_MS) -> dict[str, float | None]:
    """Return each figure's value by metric."""
    return {figure.metric: figure.value for figure in health_figures(counters, span_ms)}


def served(layout: Layout, status: list[str | None]) -> Counters:
    """Count rows that ended so."""
    counters = Counters(layout)
    counters.fold(batch({"x": [0.0] * len(status)}, status=status))
    return counters


def test_what_nobody_told_is_undefined() -> None:
    """Without status and latency their figures are None, never 0; their known shares are 0."""
    counters = Counters(Layout.without_profile("churn", "1"))
    counters.fold(batch({"x": [1.0, 2.0]}))
    found = values(counters)
    assert list(found) == METRICS
    assert {name for name, value in found.items() if value is not None} == {
        *("rate", "status_known", "latency_known")
    }
    assert (found["status_known"], found["latency_known"]) == (0.0, 0.0)


def test_a_window_without_rows_has_a_rate_of_none_a_second() -> None:
    """No rows in a known time are a rate of 0; no rows in no time are nothing that can be told."""
    nothing = Counters(Layout.without_profile("churn", "1"))
    assert {name for name, value in values(nothing).items() if value is not None} == {"rate"}
    assert values(nothing)["rate"] == 0.0
    assert values(nothing, 0)["rate"] is None


def test_statuses_that_the_reference_had_are_told_apart() -> None:
    """A profile's own statuses are counted by their names; the unknown ones among them are no part of the four."""
    reference = batch({"x": np.arange(6.0)}, status=["ok", "ok", "error", "timeout", "rejected", "teapot"])
    layout = Layout(profile_of(reference))
    found = values(served(layout, ["ok", "teapot", "teapot", "error"]))
    assert (found["errors"], found["errors_error"], found["errors_timeout"]) == (0.75, 0.25, 0.0)
    assert (found["errors_invalid"], found["errors_unknown"]) == (0.0, 0.5)


def test_a_status_that_the_reference_lacked_is_not_guessed() -> None:
    """Where the reference had `ok` alone, other statuses are errors of which no part can be told."""
    layout = Layout(profile_of(batch({"x": np.arange(3.0)}, status=["ok"] * 3)))
    found = values(served(layout, ["ok", "ok", "ok", "timeout"]))
    assert found["errors"] == 0.25
    assert {found[name] for name in METRICS[2:7]} == {None}
    calm = values(served(layout, ["ok", "ok"]))
    assert {calm[name] for name in METRICS[1:7]} == {0.0}


def test_a_table_has_no_health() -> None:
    """Rows that no service is known to have served have no figures of health; a window's stand after its rows."""
    reference = batch({"x": np.arange(500.0)})
    profile = profile_of(reference)
    counters = Counters(Layout(profile))
    counters.fold(reference)
    table = judge(profile, counters, Resolution("1h"))
    window = judge(profile, counters, Resolution("1h"), counted_ms=HOUR_MS)
    assert window[: len(table)] == table
    assert [figure.metric for figure in window[len(table) :]] == METRICS
    assert {(figure.kind, figure.verdict) for figure in window[len(table) :]} == {("health", None)}


@pytest.mark.parametrize(
    ("watermark_ms", "newest_ms", "expected_ms"),
    [
        (1_800_000, 1_000_000, 1_800_000),
        (1_800_000, 1_850_000, 1_850_001),
        (HOUR_MS + 500, HOUR_MS - 1, HOUR_MS),
        (-DAY_MS, None, 0),
    ],
)
def test_an_open_window_is_counted_up_to_where_its_time_has_come(
    watermark_ms: int, newest_ms: int | None, expected_ms: int
) -> None:
    """Up to the watermark or its newest row, within the window; a closed one over its whole width."""
    counters = Counters(Layout.without_profile("churn", "1"))
    if newest_ms is not None:
        counters.fold(batch({"x": [1.0]}, times_ms=[newest_ms]))
    assert counted_ms(counters, 0, HOUR_MS, watermark_ms, closed=False) == expected_ms
    assert counted_ms(counters, 0, HOUR_MS, watermark_ms, closed=True) == HOUR_MS


def test_every_window_without_a_profile_is_published_with_its_health() -> None:
    """A closed hour, its open day and the open week and month carry the figures, and travel with them."""
    shard = Shard.load(
        0, {}, RowsOnly(), Rules(out_of_orderness_ms=60_000, hot_windows=2, publish_seconds=5.0)
    )
    times = [BASE_MS, BASE_MS + 600_000, BASE_MS + HOUR_MS + 60_000]
    shard.fold(0, sent("a", 0, times), 1_000)
    results = [due.make() for due in plan(shard, 0, 0.0).due]
    travelled = [WindowResult.from_bytes(result.to_bytes()) for result in results]
    rates = {}
    for result in travelled:
        health = [figure for figure in result.figures if figure.kind == "health"]
        assert [figure.metric for figure in health] == METRICS
        rates[result.resolution, result.final] = _rate(health)
    assert rates["1h", True] == 2 / 3600
    assert rates["1h", False] == 1000 / 60_001
    assert rates["1d", False] == 3000 / (HOUR_MS + 60_001)
    assert rates["1M", False] is not None


def _rate(figures: list[Figure]) -> float | None:
    return next(figure.value for figure in figures if figure.metric == "rate")
