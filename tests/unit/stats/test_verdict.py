"""The threefold rule, case by case."""

from __future__ import annotations

import pytest

from driftline.streams.stats.verdict import ONLY_IID, Decision, Limits, Rule, decide, raised_null

RULE = Rule()


def judged(value: float | None, null: float | None, block: float | None, rows: int = 1_000) -> Decision:
    """Judge a figure against thresholds, with 5,000 reference rows."""
    return decide(value, Limits(null, block, 0.001), RULE, rows=rows, reference_rows=5_000)


@pytest.mark.parametrize(
    ("value", "null", "block", "verdict"),
    [
        (0.3, 0.05, 0.2, "fail"),
        (0.2, 0.05, 0.15, "warn"),
        (0.3, 0.40, 0.2, "ok"),  # not significant
        (0.09, 0.01, 0.01, "ok"),  # not large
        (0.3, 0.05, 0.5, "ok"),  # not unusual
        (0.3, 0.05, 0.3, "ok"),  # not above the threshold: equal
        (0.25, 0.05, 0.1, "warn"),  # at the floor of a failure, not above it
    ],
)
def test_a_figure_drifts_when_it_exceeds_all_three(
    value: float, null: float, block: float, verdict: str
) -> None:
    """Significant, large and unusual together make drift; any one missing makes none."""
    assert judged(value, null, block).verdict == verdict


def test_without_a_block_null_nothing_fails() -> None:
    """However large a figure is, without the stream's own variation it warns, and says `null: iid`."""
    found = judged(5.0, 0.01, None)
    assert found.verdict == "warn"
    assert ONLY_IID in found.reason


def test_few_rows_are_inconclusive_on_either_side() -> None:
    """Below the minimum count there is no verdict, whatever the figure."""
    assert judged(9.0, 0.01, 0.1, rows=199).verdict == "inconclusive"
    few = decide(9.0, Limits(0.01, 0.1, 0.001), RULE, rows=900, reference_rows=199)
    assert few.verdict == "inconclusive"
    assert "reference" in few.reason


def test_an_undefined_figure_is_inconclusive() -> None:
    """No figure is no verdict."""
    assert judged(None, 0.01, 0.1).verdict == "inconclusive"


def test_every_reason_is_a_sentence() -> None:
    """Whatever the verdict, its reason is one short sentence."""
    for value in (None, 0.05, 0.2, 0.9):
        for null in (None, 0.01, 0.5):
            for block in (None, 0.1, 2.0):
                for rows in (5, 1_000):
                    reason = judged(value, null, block, rows).reason
                    assert reason.endswith(".")
                    assert reason[0].isupper()
                    assert len(reason) < 140


def test_thin_cells_raise_the_null_until_chi_squared_agrees() -> None:
    """Where PSI is above its null and chi-squared is not, the null is raised to above PSI."""
    assert raised_null(0.6, 0.2, 30.0, 40.0) > 0.6
    assert raised_null(0.1, 0.2, 30.0, 40.0) == 0.2
    assert raised_null(0.6, 0.2, 0.0, 40.0) == 0.6
