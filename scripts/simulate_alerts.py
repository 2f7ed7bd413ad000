"""Simulate a year without drift: how many alerts the shipped rule gives, beside a fixed threshold.

Usage: scripts/simulate_alerts.py [--write]; with --write the table goes into docs/alerts-simulation.md.

A hundred deployments of 25 numeric features each are watched by days. Each has a reference, and after it a year of the
very same stream, as `simulate_verdict_rule.py` draws it: day effects that last, a daily and a weekly cycle. A day has
6,000 rows, each at an hour of its own. Every day is judged by the shipped code, and a feature alerts when 2 of its last
3 days warn or fail; the alert ends when none of them does. Two numbers are expected of the `level` that rows report:
that of days without any memory, where two bad days close by are rare; and that of bad days which always come in pairs,
level times days over 2, the most. The same year runs through ADWIN, feature by feature.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from simulate_verdict_rule import STREAMS, deciles, means

from driftline.streams.changes.adwin import Adwin
from driftline.streams.changes.tracker import Series
from driftline.streams.stats.chi2 import chi2_of_rows
from driftline.streams.stats.nulls import iid_quantile, known_level, own_windows, threshold_of
from driftline.streams.stats.psi import psi_of_shares
from driftline.streams.stats.shares import shares
from driftline.streams.stats.verdict import Limits, Rule, decide, raised_null, shared_level

PAGE = Path(__file__).resolve().parent.parent / "docs" / "alerts-simulation.md"
BEGIN, END = "<!-- simulation: begin -->", "<!-- simulation: end -->"
REFERENCES_DAYS = (60, 365)
ROWS_A_DAY = 6_000
K, M = 2, 3
FIXED = 0.2
DAY_MS = 86_400_000
RULE = Rule()
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is simulated."""

    deployments: int = 100
    features: int = 25
    days: int = 365
    seed: int = 20130101


class Row(NamedTuple):
    """One line of the table: numbers of a year over all deployments; `days` is the share of deployment days."""

    stream: str
    reference_days: int
    expected: float
    most: float
    found: int
    deployments: int
    """Deployments with an alert in the year."""
    days: float
    """Share of days with a warning or failure of any feature."""
    fixed: int
    fixed_deployments: int
    changes: int


def expected_edges(level: float, days: int, k: int = K, m: int = M) -> float:
    """Expected number of alerts of one feature when days alarm at `level`, each by itself.

    The state is the last m days and whether the alert fires: it begins with k bad days among them, and ends with none.
    """
    chance = {((False,) * m, False): 1.0}
    edges = 0.0
    for _ in range(days):
        after: dict[tuple[tuple[bool, ...], bool], float] = {}
        for ((last, fires), share), bad in itertools.product(chance.items(), (False, True)):
            now = (*last[1:], bad)
            goes_on = fires and any(now)
            begins = not fires and sum(now) >= k
            weight = share * (level if bad else 1 - level)
            edges += weight if begins else 0.0
            state = (now, goes_on or begins)
            after[state] = after.get(state, 0.0) + weight
        chance = after
    return edges


def edges_of(bad: Flags, k: int = K, m: int = M) -> NDArray[np.int64]:
    """Count alerts of each feature, (features,), from days that warn or fail, (days, features)."""
    edges = np.zeros(bad.shape[1], np.int64)
    fires = np.zeros(bad.shape[1], np.bool_)
    last = np.zeros((m, bad.shape[1]), np.bool_)
    for day in bad:
        last = np.concatenate([last[1:], day[None]])
        begins = ~fires & (last.sum(axis=0) >= k)
        edges += begins
        fires = (fires & last.any(axis=0)) | begins
    return edges


def day_counts(mu: Floats, edges: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw the counts of every day and feature, (days, features, cells): each row has an hour of its own."""
    days, features = len(mu) // 24, mu.shape[1]
    below = np.stack([
        ndtr(edges.T - hours[:, :, None]).mean(axis=0) for hours in mu.reshape(days, 24, features)
    ])  # fmt: skip
    ends = np.zeros((days, features, 1))
    share = np.diff(np.concatenate([ends, below, ends + 1], axis=-1), axis=-1)
    return rng.multinomial(ROWS_A_DAY, share / share.sum(axis=-1, keepdims=True))


def judged(
    current: NDArray[np.int64], reference: NDArray[np.int64], level: float
) -> tuple[Flags, Floats, float]:
    """Judge days of a year against the days of a reference.

    Args:
        current: (days, features, cells).
        reference: the same of the reference.
        level: of one feature.

    Returns:
        Which days warn or fail, (days, features); their PSI, alike; and the level that the rows report.
    """
    days, features, cells = current.shape
    own = own_windows(reference, RULE.minimum_rows)
    found = [threshold_of(own[:, f], level) for f in range(features)]
    blocks = [one for one in found if one is not None]
    total = reference.sum(axis=0)
    flat, wide = current.reshape(-1, cells), np.tile(total, (days, 1))
    psi = psi_of_shares(shares(flat), shares(wide))
    statistic, pooled = chi2_of_rows(flat, wide)
    quantile = iid_quantile(level, pooled)
    reference_rows = int(total[0].sum())
    bad = np.zeros(days * features, np.bool_)
    for at in range(days * features):
        null = raised_null(
            float(psi[at]),
            float(quantile[at]) * (1 / ROWS_A_DAY + 1 / reference_rows),
            float(statistic[at]),
            float(quantile[at]),
        )
        limits = Limits(null, blocks[at % features].value, level)
        verdict = decide(float(psi[at]), limits, RULE, rows=ROWS_A_DAY, reference_rows=reference_rows).verdict
        bad[at] = verdict in {"warn", "fail"}
    reported = max(known_level(one.level, "1d", len(reference)) for one in blocks)
    return bad.reshape(days, features), psi.reshape(days, features), reported


def changes_of(mu: Floats, rng: np.random.Generator) -> int:
    """Count the change points of the daily means of a year, over all features."""
    daily = mu.reshape(-1, 24, mu.shape[1]).mean(axis=1)
    daily = daily + rng.normal(0, ROWS_A_DAY**-0.5, daily.shape)
    found = 0
    for feature in daily.T.tolist():
        series = Series(Adwin())
        found += sum(series.take(value, day * DAY_MS) is not None for day, value in enumerate(feature))
    return found


def simulate(
    size: Size, streams: tuple[str, ...] = STREAMS, references_days: tuple[int, ...] = REFERENCES_DAYS
) -> Iterator[Row]:
    """Yield a row for each stream and length of the reference."""
    level = shared_level(RULE.level, size.features)
    for stream, reference_days in itertools.product(streams, references_days):
        rng = np.random.default_rng([size.seed, STREAMS.index(stream), reference_days])
        expected, most, found, fixed, changes, alarmed = 0.0, 0.0, [], [], 0, 0
        for _ in range(size.deployments):
            mu = means(stream, (reference_days + size.days) * 24, rng, size.features)
            edges = deciles(mu[: reference_days * 24], rng)
            counts = day_counts(mu, edges, rng)
            bad, psi, reported = judged(counts[reference_days:], counts[:reference_days], level)
            expected += size.features * expected_edges(reported, size.days)
            most += size.features * reported * size.days / K
            found.append(int(edges_of(bad).sum()))
            fixed.append(int(edges_of(psi > FIXED).sum()))
            alarmed += int(bad.any(axis=1).sum())
            changes += changes_of(mu[reference_days * 24 :], rng)
        yield Row(
            stream,
            reference_days,
            expected,
            most,
            sum(found),
            sum(one > 0 for one in found),
            alarmed / (size.deployments * size.days),
            sum(fixed),
            sum(one > 0 for one in fixed),
            changes,
        )


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    head = (
        "| stream | reference days | days with a verdict, % | expected, no memory | expected, pairs | **found** "
        "| deployments | PSI > 0.2 | deployments | change points |"
    )
    lines = [head, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"]
    lines += [
        f"| {row.stream} | {row.reference_days} | {100 * row.days:.1f} | {row.expected:,.0f} | {row.most:,.0f} "
        f"| {row.found:,} | {row.deployments} | {row.fixed:,} | {row.fixed_deployments} | {row.changes:,} |"
        for row in rows
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Run the full simulation; print its table, or write it into the page."""
    size = Size()
    rows = []
    for row in simulate(size):
        rows.append(row)
        print(row, file=sys.stderr, flush=True)
    who = f"{size.deployments} deployments, {size.features} features each"
    said = f"{who}, {size.days} days without drift, seed {size.seed}."
    text = f"{said}\n\n{table(rows)}"
    if "--write" not in arguments:
        print(text)
        return 0
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
