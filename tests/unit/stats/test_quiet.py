"""Quiet: fewer events than this hour of the week makes probable, and how sure that is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from driftline.streams.stats.quiet import quiet

STEADY = [980, 1040, 1010, 995, 1022]


def test_silence_and_near_silence_are_improbable_for_a_steady_deployment() -> None:
    """Silence fails, a third of the usual warns, the usual is ok; each says what was to be expected."""
    assert [quiet(STEADY, count).verdict for count in (0, 350, 1_000)] == ["fail", "warn", "ok"]
    found = quiet(STEADY, 1_000)
    assert found.expected == np.mean(STEADY)
    assert found.reason.startswith("1,000 events, where 1,009 were to be expected")


@pytest.mark.parametrize("weeks", [0, 1, 3])
def test_silence_without_a_history_is_inconclusive(weeks: int) -> None:
    """Below four weeks nothing is said, however many events there were."""
    found = quiet([1_000] * weeks, 0)
    assert (found.verdict, found.threshold, found.probability) == ("inconclusive", None, None)
    assert f"Only {weeks} past weeks" in found.reason


def test_hours_that_are_silent_by_habit_are_inconclusive() -> None:
    """Where even silence is within chance there is no threshold: of no events, of few, of wildly varying ones."""
    for past in ([0] * 8, [2, 0, 1, 0, 3, 1], [5, 4_000, 40, 900]):
        found = quiet(past, 0)
        assert (found.verdict, found.threshold) == ("inconclusive", None)


def test_a_part_of_an_hour_expects_a_part_of_its_events() -> None:
    """Three minutes without one of a thousand events an hour are improbable, three seconds are not."""
    assert quiet(STEADY, 0, part=1 / 20).verdict == "fail"
    assert quiet(STEADY, 0, part=1 / 1200).verdict == "inconclusive"


def test_more_variation_makes_fewer_events_probable() -> None:
    """Of two deployments of one mean the one that varies more has the lower threshold."""
    calm, wild = quiet(STEADY, 500), quiet([800, 1_240, 900, 1_180, 927], 500)
    assert calm.threshold is not None
    assert wild.threshold is not None
    assert wild.threshold < calm.threshold


def test_without_variation_it_is_the_gamma_poisson_law() -> None:
    """K equal weeks of m events give scipy's negative binomial of size K m and probability K / (K + part)."""
    found = quiet([50] * 6, 31, part=0.8)
    assert found.probability == pytest.approx(stats.nbinom.cdf(31, 300, 6 / 6.8), rel=1e-9)


def test_the_probability_is_the_average_of_negative_binomials() -> None:
    """It equals a mixture drawn by hand: chi-squared variances, gamma rates, Poisson counts."""
    past, rng, draws = np.array([90, 130, 100, 70, 115]), np.random.default_rng(7), 400_000
    mean, freedom = past.mean(), len(past) - 1
    own = np.maximum(0, past.var(ddof=1) / mean**2 * freedom / rng.chisquare(freedom, draws) - 1 / mean)
    phi = own + (1 / mean + own) / len(past)
    counts = rng.poisson(rng.gamma(1 / phi, phi * mean))
    found = quiet(past.tolist(), 60)
    assert found.probability == pytest.approx(float((counts <= 60).mean()), rel=0.03)


@pytest.mark.parametrize("weeks", [4, 8, 26])
@pytest.mark.parametrize("phi", [0.02, 0.1, 0.5])
def test_alarms_without_a_change_keep_to_their_level(weeks: int, phi: float) -> None:
    """Of negative binomial weeks without a change, no more alarm than stated, beyond the chance of 1,000 draws."""
    rng = np.random.default_rng(weeks)
    counts = rng.poisson(rng.gamma(1 / phi, 100 * phi, (1_000, weeks + 1)))
    alarms = sum(
        quiet(row[:-1].tolist(), int(row[-1]), level=0.02).verdict in {"warn", "fail"} for row in counts
    )
    assert alarms <= stats.binom.ppf(0.999, 1_000, 0.02)
    assert alarms > 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 10_000), min_size=4, max_size=12), st.sampled_from([0.05, 0.01, 0.001]))
def test_the_threshold_is_where_the_verdict_turns(past: list[int], level: float) -> None:
    """At the threshold a count is improbable, one above it is ok; without one nothing is."""
    found = quiet(past, 0, level=level)
    if found.threshold is None:
        assert found.verdict == "inconclusive"
        return
    at, above = (quiet(past, found.threshold + step, level=level) for step in (0, 1))
    assert at.verdict in {"warn", "fail"}
    assert above.verdict == "ok"
    assert at.probability is not None
    assert above.probability is not None
    assert at.probability <= level < above.probability
