"""What docs/statistics.md says that intervals cover is within what is promised, and what short, seeded runs find."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from math import sqrt
from pathlib import Path
from types import ModuleType

import pytest

ERRORS = 3.0
"""Standard errors that a short run may lie away from the table."""
WINDOWS, SEED = 150, 11
WIDEST = 0.03
"""Standard error up to which an estimate of accuracy or AUC is of use."""
LEAST, MOST = 0.93, 0.97


@pytest.fixture(scope="module")
def scripts(checkout: Path) -> Iterator[tuple[ModuleType, ModuleType]]:
    """Load the two scripts that wrote the tables: estimates, and intervals over days."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(checkout / "scripts")
        import simulate_estimates
        import simulate_intervals

        yield simulate_estimates, simulate_intervals
        for name in ("simulate_estimates", "simulate_intervals"):
            del sys.modules[name]


@pytest.fixture(scope="module")
def page(checkout: Path) -> str:
    """Read the page."""
    return (checkout / "docs" / "statistics.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def estimates(page: str) -> dict[tuple[str, str], tuple[float, int]]:
    """Read the table of estimates: the share inside the interval, and of how many streams, by case and figure."""
    rows = re.findall(r"^\| (\w+) \| (\w+) \| (\d+) \| ([0-9.]+) % \|", page, re.MULTILINE)
    return {(case, figure): (float(share) / 100, int(streams)) for case, figure, streams, share in rows}


@pytest.fixture(scope="module")
def over_days(page: str) -> dict[tuple[str, int], list[float]]:
    """Read the table of intervals over days: the share covered of each figure, by effect and days."""
    rows = re.findall(r"^\| ([a-z]+(?:, 0\.\d)?) \| (\d+) \| ([0-9. |]+) \|$", page, re.MULTILINE)
    return {
        (stream, int(days)): [float(share) / 100 for share in shares.split(" | ")[:4]]
        for stream, days, shares in rows
        if len(shares.split(" | ")) == 7
    }


def error(share: float, count: int, of: int) -> float:
    """Give the standard error of the difference of two shares near one share."""
    return sqrt(max(share * (1 - share), 0.02) * (1 / count + 1 / of))


def test_the_tables_cover_every_case(
    scripts: tuple[ModuleType, ModuleType],
    estimates: dict[tuple[str, str], tuple[float, int]],
    over_days: dict[tuple[str, int], list[float]],
) -> None:
    """Each case of estimates, and each stream and length of intervals over days, has its line."""
    estimate, interval = scripts
    assert {case for case, _ in estimates} == set(estimate.CASES)
    assert set(over_days) == {(stream.name, days) for stream in interval.STREAMS for days in interval.DAYS}


@pytest.mark.parametrize("figure", ["accuracy", "auc"])
def test_estimates_of_shifted_streams_lie_inside_as_often_as_promised(
    estimates: dict[tuple[str, str], tuple[float, int]], figure: str
) -> None:
    """Of 500 streams and more, 93 to 97 % have their truth inside the interval, within one standard error."""
    share, streams = estimates["plain", figure]
    assert streams >= 500
    assert LEAST - error(share, streams, 10**9) <= share <= MOST + error(share, streams, 10**9)


@pytest.mark.parametrize("few", [20, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("case", "figures"), [("plain", ("accuracy", "auc")), ("30", ("accuracy",))])
def test_a_short_run_finds_the_committed_share(
    scripts: tuple[ModuleType, ModuleType],
    estimates: dict[tuple[str, str], tuple[float, int]],
    monkeypatch: pytest.MonkeyPatch,
    case: str,
    figures: tuple[str, ...],
    few: int,
) -> None:
    """Streams of 20,000 rows and another seed lie inside as often as the page says, within Monte Carlo error."""
    estimate, _ = scripts
    monkeypatch.setattr(estimate, "WINDOW_ROWS", 20_000)
    monkeypatch.setattr(estimate, "REFERENCE_ROWS", 20_000)
    rows = {row.figure: row for row in estimate.simulate(few, (case,), SEED)}
    for figure in figures:
        share, streams = estimates[case, figure]
        assert abs(rows[figure].covered - share) <= ERRORS * error(share, few, streams)
        assert rows[figure].mean_error < WIDEST


def test_a_short_run_finds_the_committed_coverage_over_days(
    scripts: tuple[ModuleType, ModuleType], over_days: dict[tuple[str, int], list[float]]
) -> None:
    """Windows of another seed are covered as often as the page says, within Monte Carlo error."""
    _, interval = scripts
    size = interval.Size(windows=WINDOWS, truth_days=5_000, seed=SEED)
    streams = tuple(stream for stream in interval.STREAMS if stream.rho in (0.0, 0.7))
    for row in interval.simulate(size, streams, (20, 60)):
        share = over_days[row.stream, row.days][interval.FIGURES.index(row.figure)]
        assert abs(row.shipped - share) <= ERRORS * error(share, WINDOWS, 2_000), row
