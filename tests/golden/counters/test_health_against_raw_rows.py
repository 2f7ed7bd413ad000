"""Health figures equal what numpy makes of the raw rows: shares exactly, quantiles of latency within one per cent."""

from __future__ import annotations

import numpy as np
import pytest
from counting import batch

from driftline.schemas.shapes import PredictionColumns
from driftline.schemas.window import Figure
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.health_figures import health_figures
from driftline.streams.windows.layout import Layout

HOUR_MS = 3_600_000
RNG = np.random.default_rng(20130101)
ROWS = 30_000
STATUS = RNG.choice(
    ["ok", "error", "timeout", "rejected", "invalid", "teapot", ""], ROWS, p=[0.9, 0.04, 0.03, 0.01, 0.01, 0.005, 0.005]
)  # fmt: skip
UNTOLD = RNG.random(ROWS) < 0.1
LATENCY = np.where(RNG.random(ROWS) < 0.2, np.nan, RNG.lognormal(3, 1.5, ROWS)).astype(np.float32)
LAYOUT = Layout.without_profile("churn", "1")


def rows(part: slice = slice(None)) -> PredictionColumns:
    """Return some of the rows as a batch."""
    status = [None if untold else str(name) for name, untold in zip(STATUS, UNTOLD, strict=True)][part]
    return batch({"x": np.zeros(len(status))}, status=status, latency_ms=LATENCY[part].tolist())


def counted(*batches: PredictionColumns) -> Counters:
    """Fold batches into new counters."""
    counters = Counters(LAYOUT)
    for one in batches:
        counters.fold(one)
    return counters


def figures(counters: Counters) -> dict[str, Figure]:
    """Return the figures of an hour, by metric."""
    return {figure.metric: figure for figure in health_figures(counters, HOUR_MS)}


def test_shares_of_statuses_are_those_of_the_raw_rows() -> None:
    """Each share is over the rows that told a status, and == what numpy counts; the parts make the whole."""
    found, told = figures(counted(rows())), STATUS[~UNTOLD]
    assert found["errors"].value == np.count_nonzero(told != "ok") / len(told)
    for name in ("error", "timeout", "rejected", "invalid"):
        assert found[f"errors_{name}"].value == np.count_nonzero(told == name) / len(told)
    assert found["errors_unknown"].value == np.count_nonzero(np.isin(told, ["teapot", ""])) / len(told)
    assert found["status_known"].value == len(told) / ROWS
    assert {found[name].rows for name in found if name.startswith("errors")} == {len(told)}


@pytest.mark.parametrize("share", [50, 95, 99])
def test_quantiles_of_latency_are_those_of_the_raw_rows(share: int) -> None:
    """On log-normal latencies p50, p95 and p99 differ from numpy's by one per cent at most."""
    found = figures(counted(rows()))
    known = LATENCY[~np.isnan(LATENCY)].astype(np.float64)
    exact = np.quantile(known, share / 100, method="inverted_cdf")
    assert found[f"latency_p{share}"].value == pytest.approx(exact, rel=0.01)
    assert found["latency_known"].value == len(known) / ROWS
    assert found[f"latency_p{share}"].rows == len(known)


def test_the_rate_is_in_events_a_second() -> None:
    """30,000 rows in an hour are 8 1/3 a second."""
    assert figures(counted(rows()))["rate"].value == ROWS / 3600


def test_merged_windows_have_the_figures_of_their_union() -> None:
    """Parts of a window, merged in any order, give == figures."""
    parts = [counted(rows(slice(at, at + 7_001))) for at in range(0, ROWS, 7_001)]
    merged = Counters(LAYOUT)
    for part in reversed(parts):
        merged.merge(part)
    assert health_figures(merged, HOUR_MS) == health_figures(counted(rows()), HOUR_MS)
