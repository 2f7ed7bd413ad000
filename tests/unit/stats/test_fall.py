"""Fall: worse is said only beyond both intervals and beyond the floor."""

from __future__ import annotations

import math

import numpy as np
import pytest

from driftline.schemas.floors import Floor
from driftline.streams.stats.fall import Known, judge_fall, worsening

FLOOR = Floor(warn=0.03, fail=0.05)


def known(value: float, half: float) -> Known:
    """A figure with a symmetric interval."""
    return Known(value, value - half, value + half)


@pytest.mark.parametrize(
    ("window", "reference", "verdict"),
    [
        (known(0.80, 0.001), known(0.70, 0.001), "ok"),
        (known(0.70, 0.001), known(0.70, 0.001), "ok"),
        (known(0.68, 0.001), known(0.70, 0.001), "ok"),
        (known(0.66, 0.001), known(0.70, 0.001), "warn"),
        (known(0.60, 0.001), known(0.70, 0.001), "fail"),
        (known(0.60, 0.200), known(0.70, 0.001), "ok"),
        (known(0.60, 0.001), known(0.70, 0.200), "ok"),
    ],
)
def test_a_metric_that_falls(window: Known, reference: Known, verdict: str) -> None:
    """Ok within the floor or within chance of either, then warn, then fail."""
    found = judge_fall("auc", window, reference, FLOOR, "fall")
    assert found.verdict == verdict
    assert found.reason.startswith("auc")
    assert found.reason.endswith(".")


@pytest.mark.parametrize(
    ("value", "verdict"), [(5.0, "ok"), (10.0, "ok"), (10.2, "ok"), (10.4, "warn"), (10.6, "fail")]
)
def test_a_metric_that_rises_is_held_to_shares_of_the_reference(value: float, verdict: str) -> None:
    """Of a loss the floor is a share of what the reference had: 3 % warn, 5 % fail."""
    assert judge_fall("rmse", known(value, 0.01), known(10.0, 0.01), FLOOR, "rise").verdict == verdict


def test_intervals_add_as_roots_of_squares() -> None:
    """Ends of the difference are MOVER's: the lower side of the better one with the upper side of the other."""
    worse = worsening(Known(0.6, 0.5, 0.63), Known(0.7, 0.66, 0.9), "fall")
    assert worse.value == pytest.approx(0.1)
    assert worse.low == pytest.approx(0.1 - math.hypot(0.04, 0.03))
    assert worse.high == pytest.approx(0.1 + math.hypot(0.2, 0.1))


def test_rising_and_falling_are_mirror_images() -> None:
    """A loss that rose from 0.6 to 0.7 is as much worse as a score that fell from 0.7 to 0.6."""
    one, other = Known(0.6, 0.57, 0.64), Known(0.7, 0.66, 0.75)
    assert worsening(one, other, "fall") == worsening(other, one, "rise")


def test_the_interval_covers() -> None:
    """Between two samples of equal skill nobody is warned more often than in 2.5 % of cases, and often less."""
    rng = np.random.default_rng(3)
    warned = 0
    for _ in range(4_000):
        values = rng.normal(0.7, 0.03, 2)
        found = judge_fall(
            "auc", known(values[0], 0.0588), known(values[1], 0.0588), Floor(warn=1e-9, fail=1e-9), "fall"
        )
        warned += found.verdict != "ok"
    assert 60 < warned < 140


def test_wider_intervals_warn_less() -> None:
    """An interval that is widened by a factor keeps its value and moves each end from it by that factor."""
    assert Known(0.5, 0.4, 0.7).widened(2) == (0.5, pytest.approx(0.3), pytest.approx(0.9))
