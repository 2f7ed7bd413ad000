"""Simulate the verdict rule: how often it alarms without drift, and how often with it, beside simpler rules.

Usage: scripts/simulate_verdict_rule.py [--write]; with --write the tables go into docs/statistics.md.

A deployment of 10 numeric features and one of 100 levels (Zipf) is watched; the rows of feature f in hour t
are normal around mu_f(t), in units of the spread of its rows:

    iid       mu = 0
    days      mu = an AR(1) day effect, correlation 0.7 from day to day, spread 0.5
    cycles    mu = 0.8 sin(daily) + 0.4 sin(weekly)
    all       both

Counts are drawn from their exact law, 250 rows an hour; edges are the deciles of the reference; windows to
judge come from another stretch of the same stream. Everything past the counts is the shipped code.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from driftline.streams.stats.chi2 import chi2_of_rows
from driftline.streams.stats.nulls import (
    WINDOW_DAYS,
    iid_quantile,
    known_level,
    moving_blocks,
    own_windows,
    threshold_of,
)
from driftline.streams.stats.pooling import pool
from driftline.streams.stats.psi import psi_of_shares
from driftline.streams.stats.shares import shares
from driftline.streams.stats.verdict import Limits, Rule, decide, raised_null, shared_level

PAGE = Path(__file__).resolve().parent.parent / "docs" / "statistics.md"
BEGIN, END = "<!-- simulation: begin -->", "<!-- simulation: end -->"
WINDOWS_OF_LEVELS = 4_000
STREAMS = ("iid", "days", "cycles", "all")
WINDOWS = {"1h": 1, "1d": 24, "7d": 7 * 24, "1M": 30 * 24}
REFERENCES_DAYS = (60, 365)
ROWS_AN_HOUR = 250
NUMERIC, LEVELS, CELLS = 10, 100, 10
FEATURES = NUMERIC + 1
SHIFTS = (0.5, 1.0)
ZIPF = (1 / np.arange(1, LEVELS + 1)) / (1 / np.arange(1, LEVELS + 1)).sum()
RULE = Rule()
LEVEL = shared_level(RULE.level, FEATURES)
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is simulated."""

    references: int
    """References drawn for each stream and length."""
    windows: int
    """Windows judged against each."""
    seed: int = 20130101


FULL = Size(references=120, windows=8)


class Row(NamedTuple):
    """One line of the table: shares of windows, from 0 to 1; `trials` windows were judged."""

    stream: str
    reference_days: int
    window: str
    stated: float
    threefold: float
    iid: float
    fixed: float
    fixed_high: float
    power_half: float
    power_one: float
    trials: int


def means(stream: str, hours: int, rng: np.random.Generator, features: int = NUMERIC) -> NDArray[np.float64]:
    """Draw mu of every numeric feature for a stretch of hours, (hours, features)."""
    mu = np.zeros((hours, features))
    if stream in {"days", "all"}:
        days = -(-hours // 24) + 1
        effect = np.zeros((days, features))
        effect[0] = rng.normal(0, 0.5, features)
        noise = rng.normal(0, 0.5 * np.sqrt(1 - 0.7**2), (days, features))
        for day in range(1, days):
            effect[day] = 0.7 * effect[day - 1] + noise[day]
        mu += np.repeat(effect, 24, axis=0)[:hours]
    if stream in {"cycles", "all"}:
        hour = np.arange(hours)[:, None]
        mu += 0.8 * np.sin(2 * np.pi * hour / 24) + 0.4 * np.sin(2 * np.pi * hour / (24 * 7))
    return mu


def deciles(mu: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Deciles of 20,000 rows drawn from a reference, per feature; (CELLS - 1, features)."""
    rows = mu[rng.integers(0, len(mu), 20_000)] + rng.normal(size=(20_000, mu.shape[1]))
    return np.quantile(rows, np.arange(1, CELLS) / CELLS, axis=0)


def count(mu: NDArray[np.float64], edges: NDArray[np.float64], rng: np.random.Generator) -> Counts:
    """Draw the counts of every hour and numeric feature of `mu`, (hours, features, CELLS)."""
    below = ndtr(edges.T[None] - mu[:, :, None])
    ends = np.zeros((*mu.shape, 1))
    share = np.diff(np.concatenate([ends, below, ends + 1], axis=-1), axis=-1)
    return rng.multinomial(ROWS_AN_HOUR, share / share.sum(axis=-1, keepdims=True))


def with_levels(numbers: Counts, levels: Counts) -> Counts:
    """Lay counts of numbers and of levels into one array, (..., FEATURES, LEVELS), padded by empty cells."""
    found = np.zeros((*numbers.shape[:-2], FEATURES, LEVELS), np.int64)
    found[..., :NUMERIC, :CELLS] = numbers
    found[..., NUMERIC, :] = levels
    return found


def figures_without_drift(numbers: Counts, levels: Counts, window: str, seed: int) -> NDArray[np.float64]:
    """The reference's own figures at a width, (windows, FEATURES), as a profile keeps them."""
    found = []
    for hours in (numbers, levels[:, None, :]):
        days = hours.reshape(-1, 24, *hours.shape[1:]).sum(axis=1)
        if window in WINDOW_DAYS:
            # Every feature sees the same draws: columns of one day belong together.
            found.append(moving_blocks(days, WINDOW_DAYS[window], np.random.default_rng(seed)))
        else:
            found.append(own_windows(hours if window == "1h" else days, RULE.minimum_rows))
    return np.concatenate(found, axis=1)


def judged(current: Counts, reference: Counts, blocks: list[float]) -> NDArray[np.bool_]:
    """Judge one window, (features, 4): by the threefold rule, the iid null alone, a fixed 0.1 and 0.25."""
    psi = psi_of_shares(shares(current), shares(reference))
    statistic, cells = chi2_of_rows(current, reference)
    quantile = iid_quantile(LEVEL, cells)
    n, m = int(current[0].sum()), int(reference[0].sum())
    found = np.zeros((len(current), 4), np.bool_)
    for f in range(len(current)):
        wide = float(quantile[f] * (1 / n + 1 / m))
        null = raised_null(float(psi[f]), wide, float(statistic[f]), float(quantile[f]))
        verdict = decide(
            float(psi[f]), Limits(null, blocks[f], LEVEL), RULE, rows=n, reference_rows=m
        ).verdict
        found[f] = verdict in {"warn", "fail"}, psi[f] > null, psi[f] > RULE.warn, psi[f] > RULE.fail
    return found


def simulate(size: Size, references_days: tuple[int, ...] = REFERENCES_DAYS) -> Iterator[Row]:
    """Yield a row for each stream, length of the reference and window."""
    for stream in STREAMS:
        for days in references_days:
            rng = np.random.default_rng([size.seed, STREAMS.index(stream), days])
            alarms = {window: np.zeros(6) for window in WINDOWS}
            stated = dict.fromkeys(WINDOWS, 0.0)
            for _ in range(size.references):
                mu = means(stream, days * 24, rng)
                edges = deciles(mu, rng)
                levels = rng.multinomial(ROWS_AN_HOUR, ZIPF, size=days * 24)
                numbers = count(mu, edges, rng)
                reference = with_levels(numbers.sum(axis=0), levels.sum(axis=0))
                for window, hours in WINDOWS.items():
                    own = figures_without_drift(numbers, levels, window, int(rng.integers(2**32)))
                    found = [threshold_of(own[:, f], LEVEL) for f in range(FEATURES)]
                    blocks = [threshold.value for threshold in found if threshold is not None]
                    tail = max(threshold.level for threshold in found if threshold is not None)
                    stated[window] = min(1.0, known_level(tail, window, days) * FEATURES)
                    for _ in range(size.windows):
                        alarms[window] += _trial(stream, hours, edges, reference, blocks, rng)
            trials = size.references * size.windows
            for window in WINDOWS:
                yield Row(stream, days, window, stated[window], *(alarms[window] / trials).tolist(), trials)


def _trial(
    stream: str,
    hours: int,
    edges: NDArray[np.float64],
    reference: Counts,
    blocks: list[float],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Judge one window without drift, and its first feature moved; 1 or 0 for each column of a row."""
    lead = 24 * int(rng.integers(0, 7)) + (int(rng.integers(0, 24)) if hours == 1 else 0)
    mu = means(stream, lead + hours, rng)[lead:]
    levels = rng.multinomial(ROWS_AN_HOUR * hours, ZIPF)
    still = with_levels(count(mu, edges, rng).sum(axis=0), levels)
    found = [*judged(still, reference, blocks).any(axis=0)]
    for shift in SHIFTS:
        moved = count(mu[:, :1] + shift, edges[:, :1], rng).sum(axis=0)
        found.append(judged(moved, reference[:1, :CELLS], blocks)[0, 0])
    return np.array(found, dtype=np.float64)


def level_rows(windows: int, seed: int = FULL.seed) -> Iterator[tuple[int, list[float]]]:
    """Yield false alarms over 100 Zipf levels at 1 %, by rows of the window; 20,000 rows of reference.

    By PSI against chi-squared over all levels, by PSI of pooled cells, and by the shipped test.
    """
    for rows in (200, 500, 2_000, 10_000):
        rng = np.random.default_rng([seed, rows])
        current = rng.multinomial(rows, ZIPF, size=windows)
        reference = rng.multinomial(20_000, ZIPF, size=windows)
        spread = 1 / rows + 1 / 20_000
        psi = psi_of_shares(shares(current), shares(reference))
        pooled = [pool(c, r) for c, r in zip(current, reference, strict=True)]
        pooled_psi = np.array([psi_of_shares(shares(p.current), shares(p.reference)).item() for p in pooled])
        statistic, cells = chi2_of_rows(current, reference)
        quantile = iid_quantile(RULE.level, cells)
        whole = iid_quantile(RULE.level, np.full(windows, LEVELS))
        alarms = (
            psi > whole * spread,
            pooled_psi > quantile * spread,
            (psi > quantile * spread) & (statistic > quantile),
        )
        yield rows, [float(alarm.mean()) for alarm in alarms]


def level_table(rows: Iterator[tuple[int, list[float]]]) -> str:
    """The false alarms over many levels as a Markdown table, in percent."""
    lines = ["| rows | PSI, all levels | PSI, pooled cells | shipped |", "|--:|--:|--:|--:|"]
    lines += [
        f"| {count:,} | {' | '.join(f'{100 * share:.1f}' for share in found)} |" for count, found in rows
    ]
    return "\n".join(lines)


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table, in percent."""
    lines = [
        "| stream | days | window | stated, at most | **found** | iid null | PSI > 0.1 | PSI > 0.25 | +0.5 σ | +1 σ |",
        "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        shown = " | ".join(f"{100 * share:.1f}" for share in row[3:10])
        lines.append(f"| {row.stream} | {row.reference_days} | {row.window} | {shown} |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Run the full simulation; print its table, or write it into the page."""
    rows = []
    for row in simulate(FULL):
        rows.append(row)
        print(row, file=sys.stderr, flush=True)
    said = f"{FULL.references * FULL.windows} windows a row, seed {FULL.seed}; all shares in percent."
    levels = f"Significant at 1 % without drift, {WINDOWS_OF_LEVELS:,} windows a row; shares in percent."
    text = f"{said}\n\n{table(rows)}\n\n{levels}\n\n{level_table(level_rows(WINDOWS_OF_LEVELS))}"
    if "--write" not in arguments:
        print(text)
        return 0
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
