"""What docs/alerts-simulation.md says of a year without drift is what a short, seeded run finds."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

DEPLOYMENTS = 4
COLUMNS = ("days", "expected", "most", "found", "deployments", "fixed", "fixed_deployments", "changes")


@pytest.fixture(scope="module")
def simulation(checkout: Path) -> Iterator[ModuleType]:
    """Load the script that wrote the table; it takes its streams from the script beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(checkout / "scripts")
        import simulate_alerts

        yield simulate_alerts
        for name in ("simulate_alerts", "simulate_verdict_rule"):
            del sys.modules[name]


@pytest.fixture(scope="module")
def committed(checkout: Path) -> dict[tuple[str, int], dict[str, float]]:
    """Read the committed table, by stream and days of reference."""
    text = (checkout / "docs" / "alerts-simulation.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| (\d+) \| ([0-9.,]+(?: \| [0-9.,]+){7}) \|$", text, re.MULTILINE)
    return {
        (stream, int(days)): {
            name: float(value.replace(",", "")) for name, value in zip(COLUMNS, values.split(" | "), strict=True)
        }
        for stream, days, values in rows
    }  # fmt: skip


def test_the_table_covers_every_stream_and_reference(
    simulation: ModuleType, committed: dict[tuple[str, int], dict[str, float]]
) -> None:
    """Each stream and length of the reference has its line."""
    assert set(committed) == {(s, days) for s in simulation.STREAMS for days in simulation.REFERENCES_DAYS}


@pytest.mark.parametrize("stream", ["iid", "all"])
def test_a_short_run_finds_the_committed_numbers(
    simulation: ModuleType, committed: dict[tuple[str, int], dict[str, float]], stream: str
) -> None:
    """Four deployments and sixty days of reference give, a deployment, what a hundred gave."""
    (row,) = simulation.simulate(simulation.Size(deployments=DEPLOYMENTS, seed=7), (stream,), (60,))
    table = committed[stream, 60]
    assert row.expected / DEPLOYMENTS == pytest.approx(table["expected"] / 100, abs=0.01)
    assert row.most / DEPLOYMENTS == pytest.approx(table["most"] / 100, abs=0.01)
    # Of 25 features a hundred days count each; a third is four standard errors and more.
    assert row.found / DEPLOYMENTS == pytest.approx(table["found"] / 100, rel=0.33)
    assert row.fixed / DEPLOYMENTS == pytest.approx(table["fixed"] / 100, rel=0.1)
    assert 100 * row.days == pytest.approx(table["days"], abs=10)


def test_the_rule_alerts_less_than_a_fixed_threshold(
    committed: dict[tuple[str, int], dict[str, float]],
) -> None:
    """On no stream more alerts than PSI > 0.2 gives, and at most an eighth of them where days differ."""
    for (stream, _), row in committed.items():
        assert row["found"] <= row["fixed"]
        if stream in {"days", "all"}:
            assert 8 * row["found"] <= row["fixed"]
        assert row["found"] <= 1.6 * row["most"]


def test_alerts_begin_with_two_of_three_and_end_with_none(simulation: ModuleType) -> None:
    """Two bad days of three begin one alert, which lasts until three good days; the next two begin another."""
    days = [0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 1]
    #       good, then one alert to the fourth last day, then another
    bad = np.array(days, np.bool_)[:, None]
    assert simulation.edges_of(bad).tolist() == [2]
    assert simulation.edges_of(~bad & False).tolist() == [0]


def test_the_expected_number_is_what_days_without_memory_give(simulation: ModuleType) -> None:
    """The chain over the last three days agrees with drawn days, and one bad day of one is level times days."""
    level, draw = 0.05, np.random.default_rng(1)
    bad = draw.random((365, 20_000)) < level
    assert simulation.expected_edges(level, 365) == pytest.approx(simulation.edges_of(bad).mean(), rel=0.02)
    assert simulation.expected_edges(0.001, 100, 1, 1) == pytest.approx(0.1, rel=0.01)
