"""The iid null keeps its level where PSI alone does not: many levels, few rows."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.streams.stats.chi2 import chi2_of_rows, chi2_statistic
from driftline.streams.stats.nulls import iid_null, iid_quantile
from driftline.streams.stats.psi import psi_of_shares
from driftline.streams.stats.shares import shares
from driftline.streams.stats.verdict import raised_null

WINDOWS = 3_000
LEVEL = 0.01


@pytest.mark.parametrize("rows", [300, 1_000, 5_000])
def test_a_hundred_zipf_levels_alarm_at_the_stated_level(rows: int) -> None:
    """Without drift 1 % of windows over 100 Zipf levels are significant, within Monte Carlo error."""
    rng = np.random.default_rng(rows)
    share = 1 / np.arange(1, 101)
    current = rng.multinomial(rows, share / share.sum(), size=WINDOWS)
    reference = rng.multinomial(20_000, share / share.sum(), size=WINDOWS)
    psi = psi_of_shares(shares(current), shares(reference))
    statistics, cells = chi2_of_rows(current, reference)
    quantiles = iid_quantile(LEVEL, cells)
    alarms = sum(
        value > raised_null(value, iid_null(LEVEL, int(b), rows, 20_000) or 0.0, statistic, quantile)
        for value, b, statistic, quantile in zip(psi, cells, statistics, quantiles, strict=True)
    )
    # Four standard errors of 3,000 windows at 1 %.
    assert abs(alarms / WINDOWS - LEVEL) < 4 * np.sqrt(LEVEL / WINDOWS)


def test_many_rows_of_counts_are_tested_like_one() -> None:
    """The vectorised chi-squared equals the one of a single row, thin cells pooled or not."""
    rng = np.random.default_rng(1)
    share = 1 / np.arange(1, 41)
    current = np.stack([rng.multinomial(n, share / share.sum()) for n in (0, 3, 50, 400, 9_000)])
    reference = np.stack([rng.multinomial(n, share / share.sum()) for n in (900, 900, 900, 0, 30_000)])
    statistics, cells = chi2_of_rows(current, reference)
    for row in range(len(current)):
        found = chi2_statistic(current[row], reference[row])
        if found is None:
            assert np.isnan(statistics[row])
        else:
            assert statistics[row] == pytest.approx(found.statistic, rel=1e-12)
            assert cells[row] == found.freedom + 1
