"""The latency sketch: quantiles within one per cent, a bounded size, nothing lost."""

from __future__ import annotations

import numpy as np
import pytest
from counting import batch, profile_of

from driftline.streams.windows.counters import Counters
from driftline.streams.windows.latency import latency_quantile, latency_rows
from driftline.streams.windows.layout import Layout


def sketch_of(latency_ms: list[float] | np.ndarray) -> np.ndarray:
    """Fold latencies and give the sketch."""
    counters = Counters(Layout(profile_of(batch({"x": [0.0, 1.0]}))))
    counters.fold(batch({"x": np.zeros(len(latency_ms))}, latency_ms=list(latency_ms)))
    assert counters.latency is not None
    return counters.latency


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.99, 1.0])
def test_quantiles_are_within_one_per_cent(share: float) -> None:
    """A quantile differs from the same rank of the sorted latencies by at most 1 %."""
    values = np.random.default_rng(3).lognormal(2, 2, 20_000).astype(np.float32)
    exact = np.sort(values)[int(np.ceil(share * len(values))) - 1]
    assert latency_quantile(sketch_of(values), share) == pytest.approx(float(exact), rel=0.01)


def test_every_latency_is_counted_and_unknown_ones_apart() -> None:
    """Zero, negative, tiny, huge and infinite latencies are rows; NaN is unknown."""
    sketch = sketch_of([0.0, -1.0, 1e-9, 5.0, 1e9, np.inf, np.nan])
    assert latency_rows(sketch) == 6
    assert sketch.sum() == 7
    assert latency_quantile(sketch, 0.01) == 0.0
    assert latency_quantile(sketch, 1.0) == float("inf")


def test_without_a_latency_there_is_no_quantile() -> None:
    """Undefined is None."""
    assert latency_quantile(sketch_of([np.nan]), 0.5) is None
