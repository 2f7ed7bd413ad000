"""Simulate estimated performance: how far it lies from the truth, and how often its intervals hold it.

Usage: scripts/simulate_estimates.py [STREAMS]   (500 by default, seeded; a table in Markdown)

Inputs are three independent normal numbers. A stream draws a relation between input and truth, a model and
its threshold; its reference has 50,000 labelled rows, its window 100,000 whose inputs are moved by up to one
standard deviation and widened or narrowed, and labelled by the same relation; the truth is scikit-learn's on
the raw rows. The cases:

    plain       positives 20 to 80 %, the score over- or under-confident by a factor of up to 2 and off by up to 1
    rare        positives about 1 %
    small       plain, with 5,000 rows of reference
    folded      the relation is not monotone in the score
    still       plain, without a shift
    blind       plain, but an input that the model does not know moves the truth, and shifts: what no estimate
                from scores can see

Score bins are those of a deployment: 512 quantiles of the reference, twice 256 geometric tail quantiles, 0.1 to
0.9 and the threshold. Everything past the counts is the shipped code.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

from driftline.streams.stats.calibration import calibrate
from driftline.streams.stats.estimate import Estimate, estimate
from driftline.streams.stats.expected import FIGURES

SEED = 20130101
STREAMS = 500
WINDOW_ROWS = 100_000
CASES = ("plain", "rare", "small", "folded", "still", "blind")
Array = NDArray[np.float64]


class Row(NamedTuple):
    """One line of the table."""

    case: str
    figure: str
    streams: int
    covered: float
    """Share of streams whose interval holds the truth."""
    mean_miss: float
    worst_miss: float
    within: float
    """Share of streams with the estimate within 0.01 of the truth."""
    mean_error: float


class Sample(NamedTuple):
    """Rows of one stream."""

    scores: Array
    truth: NDArray[np.int64]


class Stream:
    """A relation, a model and a shift, drawn once; `sample` draws rows."""

    def __init__(self, case: str, rng: np.random.Generator) -> None:
        self.case = case
        self.slopes = rng.normal(0, 1, 3) * [1.5, 1.0, 0.5]
        if case == "rare":
            # Positives at 1 % on average over the rows.
            self.base = -5.0 - 0.4 * float(self.slopes @ self.slopes) ** 0.5
        else:
            self.base = float(rng.uniform(-1.2, 1.2))
        self.confidence = float(rng.uniform(0.5, 2.0))
        self.offset = float(rng.uniform(-1.0, 1.0))
        self.threshold = 0.05 if case == "rare" else float(rng.uniform(0.3, 0.7))
        still = case == "still"
        self.move = np.zeros(3) if still else rng.uniform(-1.0, 1.0, 3)
        self.width = np.ones(3) if still else rng.uniform(0.7, 1.3, 3)

    def sample(self, rows: int, rng: np.random.Generator, *, shifted: bool) -> Sample:
        """Draw rows of the reference, or of the shifted window."""
        x = rng.normal(size=(rows, 3))
        if shifted:
            x = x * self.width + self.move
        slopes = self.slopes * [1, 1, 0] if self.case == "blind" else self.slopes
        known = x @ slopes + self.base
        logit = known + x[:, 2] * self.slopes[2] if self.case == "blind" else known
        if self.case == "folded":
            logit = np.abs(known) - 1.0
        scores = expit(self.confidence * known + self.offset)
        return Sample(scores, (rng.random(rows) < expit(logit)).astype(np.int64))


def edges_of(scores: Array, threshold: float) -> Array:
    """Edges of the score bins of a reference, ascending; bin b is (edges[b - 1], edges[b]]."""
    tails = np.geomspace(1 / 512, 1 / len(scores), 256)
    shares = np.concatenate([np.arange(1, 512) / 512, tails, 1 - tails])
    # The threshold belongs to the positive class, so its bin begins at the number below it.
    fixed = [*np.arange(1, 10) / 10, np.nextafter(threshold, 0)]
    return np.unique(np.concatenate([np.quantile(scores, shares), fixed]))


def count(
    sample: Sample, edges: Array, threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Count positives and rows, each (B, 2), and the mean score of each bin, (B,), NaN where empty."""
    bins, predicted = np.searchsorted(edges, sample.scores), sample.scores >= threshold
    size = len(edges) + 1
    cell = 2 * bins + predicted
    rows = np.bincount(cell, minlength=2 * size).reshape(size, 2)
    positives = np.bincount(cell[sample.truth == 1], minlength=2 * size).reshape(size, 2)
    totals = rows.sum(axis=1)
    sums = np.bincount(bins, sample.scores, minlength=size)
    means = np.divide(sums, totals, out=np.full(size, np.nan), where=totals > 0)
    return positives, rows, means


def truth_of(sample: Sample, threshold: float) -> dict[str, float]:
    """Figures of the labelled window, by scikit-learn."""
    y, p, c = sample.truth, sample.scores, (sample.scores >= threshold).astype(np.int64)
    return {
        "accuracy": accuracy_score(y, c),
        "balanced_accuracy": balanced_accuracy_score(y, c),
        "precision": precision_score(y, c, zero_division=np.nan),
        "recall": recall_score(y, c),
        "f1": f1_score(y, c),
        "auc": roc_auc_score(y, p),
        "log_loss": log_loss(y, p),
        "brier": brier_score_loss(y, p),
    }


def one_stream(case: str, rng: np.random.Generator) -> tuple[Estimate, dict[str, float]]:
    """Draw one stream; estimate its window and tell the truth."""
    stream = Stream(case, rng)
    reference = stream.sample(5_000 if case == "small" else 50_000, rng, shifted=False)
    window = stream.sample(WINDOW_ROWS, rng, shifted=True)
    edges = edges_of(reference.scores, stream.threshold)
    positives, rows, _ = count(reference, edges, stream.threshold)
    calibration = calibrate(positives, rows)
    assert calibration is not None  # noqa: S101 - the reference has rows
    _, now, means = count(window, edges, stream.threshold)
    return estimate(calibration, now, means, rng), truth_of(window, stream.threshold)


def simulate(streams: int, cases: tuple[str, ...] = CASES, seed: int = SEED) -> Iterator[Row]:
    """Yield a row for each case and figure."""
    for case in cases:
        seeds = np.random.SeedSequence([seed, CASES.index(case)]).spawn(streams)
        found = [one_stream(case, np.random.default_rng(each)) for each in seeds]
        for name in FIGURES:
            known = [
                (figure, truth[name])
                for estimated, truth in found
                if (figure := estimated.figures[name]).value is not None and np.isfinite(truth[name])
            ]
            bare = np.array([[f.value, f.error, f.low, f.high, truth] for f, truth in known], np.float64)
            value, error, low, high, truth = bare.T
            miss = np.abs(value - truth)
            yield Row(
                case,
                name,
                len(known),
                float(((low <= truth) & (truth <= high)).mean()),
                float(miss.mean()),
                float(miss.max()),
                float((miss <= 0.01).mean()),  # noqa: PLR2004 - the promise
                float(np.nanmean(error)),
            )


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| case | figure | streams | in the interval | within 0.01 | mean miss | worst miss | standard error |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {r.case} | {r.figure} | {r.streams} | {100 * r.covered:.1f} % | {100 * r.within:.1f} % "
        f"| {r.mean_miss:.4f} | {r.worst_miss:.4f} | {r.mean_error:.4f} |"
        for r in rows
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Run the simulation and print its table."""
    streams = int(arguments[0]) if arguments else STREAMS
    rows = []
    for row in simulate(streams):
        rows.append(row)
        print(row, file=sys.stderr, flush=True)
    print(f"{streams} streams a case, {WINDOW_ROWS:,} rows a window, seed {SEED}.\n\n{table(rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
