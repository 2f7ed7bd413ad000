"""Maturity: when labels are so many, or so late, that figures are not provisional any more."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.streams.join.maturity import delays, observed_ms, provisional
from driftline.streams.join.outcomes import Outcomes
from driftline.streams.windows.kernel import LATENCY_BINS
from driftline.streams.windows.latency import latency_bins

HOUR_MS = 3_600_000
END_MS = 1_750_032_000_000


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
    """99 of 100 delays lie below it, to 1 %; nothing is known without a label."""
    assert observed_ms(sketch()) is None
    found = observed_ms(sketch(*np.arange(1, 1_001)))
    assert found == pytest.approx(990_000, rel=0.011)
    assert observed_ms(sketch(0.0, 0.0)) == 0
