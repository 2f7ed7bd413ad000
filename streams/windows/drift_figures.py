"""Drift figures: how far each column of a window lies from its reference, and the verdict on it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from driftline.schemas.window import Figure
from driftline.streams.stats.chi2 import chi2_of_rows
from driftline.streams.stats.hellinger import hellinger_of_shares
from driftline.streams.stats.js import js_of_shares
from driftline.streams.stats.ks import ks_of_counts
from driftline.streams.stats.mean_shift import mean_shift_of_bins
from driftline.streams.stats.nulls import Threshold, iid_quantile
from driftline.streams.stats.psi import psi_of_shares
from driftline.streams.stats.shares import defined, shares
from driftline.streams.stats.verdict import Decision, Limits, Rule, decide, raised_null, shared_level
from driftline.streams.stats.wasserstein import w1_of_bins
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.kernel import COUNT, HI, LO
from driftline.streams.windows.reference import JUDGED, BlockNull, Reference, psi_counts, sums_of


class Measured(NamedTuple):
    """Figures of the F judged columns, lists of floats; NaN where undefined."""

    rows: list[int]
    reference_rows: list[int]
    psi: list[float]
    js: list[float]
    hellinger: list[float]
    chi2: list[float]
    cells: list[float]
    quantile: list[float]
    ks: list[float]
    ks_upper: list[float]
    w1_sigma: list[float]
    mean_sigma: list[float]


def measure(reference: Reference, counters: Counters, level: float) -> Measured:
    """Compute every figure of every judged column, with chi-squared's quantile at the level of one."""
    counts = psi_counts(reference, counters.table[COUNT])
    p, q = shares(counts), shares(reference.counts)
    chi2, cells = chi2_of_rows(counts, reference.counts)
    ks, ks_upper, w1, mean = _of_numbers(reference, counters)
    return Measured(
        rows=counts.sum(axis=1).tolist(),
        reference_rows=reference.counts.sum(axis=1).tolist(),
        psi=psi_of_shares(p, q).tolist(),
        js=js_of_shares(p, q).tolist(),
        hellinger=hellinger_of_shares(p, q).tolist(),
        chi2=chi2.tolist(),
        cells=cells.tolist(),
        quantile=iid_quantile(level, cells).tolist(),
        ks=ks,
        ks_upper=ks_upper,
        w1_sigma=w1,
        mean_sigma=mean,
    )


def _of_numbers(reference: Reference, counters: Counters) -> list[list[float]]:
    """KS with its bound, W1/sigma and the mean's shift; NaN for categorical columns."""
    found = np.full((4, len(reference.columns)), np.nan)
    padded = np.concatenate([counters.normalised, np.zeros((3, 1), np.int64)], axis=1)
    for numbers in reference.numbers:
        if not len(numbers.rows):
            continue
        table = padded[:, numbers.cells]
        counts, sums = table[COUNT], sums_of(table[HI], table[LO])
        found[0, numbers.rows], found[1, numbers.rows] = ks_of_counts(counts, numbers.counts, numbers.atoms)
        found[2, numbers.rows] = w1_of_bins(counts, sums, numbers.counts, numbers.sums, numbers.sigma_edges)
        found[3, numbers.rows] = mean_shift_of_bins(counts, sums, numbers.counts, numbers.sums)
    return found.tolist()


def drift_figures(
    reference: Reference,
    nulls: Sequence[BlockNull],
    counters: Counters,
    rule: Rule,
    held_back: Mapping[str, str],
) -> list[Figure]:
    """Give the figures of features, scores and the predicted class.

    Args:
        reference: the reference's side.
        nulls: the block null of each judged column.
        counters: the window.
        rule: floors and minimum count.
        held_back: kind of figure -> why no figure of that kind may have a verdict now.

    Returns:
        By column: psi with its verdict, then js, hellinger, chi2 and, of numbers, ks, ks_upper,
        w1_sigma and mean_sigma.
    """
    level = shared_level(rule.level, len(reference.columns))
    found = measure(reference, counters, level)
    figures: list[Figure] = []
    for row, column in enumerate(reference.columns):
        kind, name = JUDGED[column.profile.role], column.profile.name
        limits = _limits(found, row, nulls[row].threshold, level)
        value = defined(found.psi[row])
        rows, reference_rows = found.rows[row], found.reference_rows[row]
        if kind in held_back:
            decision = Decision("inconclusive", held_back[kind])
        else:
            decision = decide(
                value,
                limits,
                rule,
                rows=rows,
                reference_rows=reference_rows,
                why_iid=nulls[row].why,
            )
        figures.append(
            Figure(
                kind,
                name,
                "psi",
                value,
                limits.null,
                rule.warn,
                limits.block,
                decision.verdict,
                decision.reason,
                rows,
                reference_rows,
                limits.level,
            )
        )
        others = [("js", found.js), ("hellinger", found.hellinger), ("chi2", found.chi2)]
        if column.slot >= 0:
            others += [("ks", found.ks), ("ks_upper", found.ks_upper)]
            others += [("w1_sigma", found.w1_sigma), ("mean_sigma", found.mean_sigma)]
        figures += [
            Figure(kind, name, metric, defined(values[row]), rows=rows, reference_rows=reference_rows)
            for metric, values in others
        ]
    return figures


def _limits(found: Measured, row: int, block: Threshold | None, level: float) -> Limits:
    """Thresholds of one column's PSI, judged at the level of one figure."""
    null = None
    if not math.isnan(found.quantile[row]):  # with fewer than two cells nothing is significant
        wide = found.quantile[row] * (1 / found.rows[row] + 1 / found.reference_rows[row])
        null = raised_null(found.psi[row], wide, found.chi2[row], found.quantile[row])
    if block is None:
        return Limits(null, None, level)
    return Limits(null, block.value, max(level, block.level))
