"""Simulate estimated performance: how far it lies from the truth, and how often its intervals hold it.

Usage: scripts/simulate_estimates.py [STREAMS [CASE ...]] [--seed N]   (500 streams, all cases; a table in Markdown)

Inputs are independent normal numbers. A stream draws a relation between input and truth and a model; its reference has
50,000 labelled rows, its window 100,000 whose inputs are moved by up to one standard deviation and widened or
narrowed, and labelled by the same relation. The truth is scikit-learn's on the raw rows. The cases:

    plain       three inputs, positives 20 to 80 %, the score over- or under-confident by a factor of up to 2 and
                off by up to 1, a threshold of 0.3 to 0.7
    rare        positives about 1 %
    small       plain, with 5,000 rows of reference
    folded      the relation is not monotone in the score
    still       plain, without a shift
    blind       plain, but an input that the model does not know moves the truth, and shifts: what no estimate
                from scores can see
    3, 5, 20    classes: six inputs, scores over- or under-confident and each off by its own amount
    30          classes, of which accuracy alone is estimated
    days        plain, where every day moves each input too: 100 days of reference, 30 of window
    5days       the same of five classes
    faults      plain, where every day moves the truth, and no input shows it

Effects of days are an AR(1) with the correlation 0.7 from day to day; its spread is 0.5 standard deviations of an
input, and 0.15 in the logit of the truth.

Edges of score bins, counts and everything past them are the shipped code.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from simulate_intervals import Stream, effects
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    matthews_corrcoef,
    precision_score,
    recall_score,
    roc_auc_score,
)

from driftline.streams.stats.class_calibration import class_calibration, class_reference, fold
from driftline.streams.stats.estimate import Estimate
from driftline.streams.stats.estimate_binary import (
    BINARY_FIGURES,
    binary_calibration,
    binary_counts,
    binary_reference,
    estimate_binary,
)
from driftline.streams.stats.estimate_classes import CLASS_FIGURES, estimate_classes
from driftline.streams.windows.edges import find_edges

SEED = 20130101
STREAMS = 500
WINDOW_ROWS = 100_000
REFERENCE_ROWS = 50_000
CASES = (
    *("plain", "rare", "small", "folded", "still", "blind"),
    *("3", "5", "20", "30"),
    *("days", "faults", "5days"),
)
BINARY = tuple(case for case in CASES if case.isalpha())
REFERENCE_DAYS, WINDOW_DAYS = 100, 30
RHO, INPUT_SPREAD, TRUTH_SPREAD = 0.7, 0.5, 0.15
Array = NDArray[np.float64]
Classes = NDArray[np.int64]


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
    """Rows of one stream: float32 scores, (n,) or (n, K), classes said and true, (n,)."""

    scores: NDArray[np.float32]
    said: Classes
    truth: Classes


def by_day(rows: int, columns: int, rng: np.random.Generator, *, shifted: bool) -> Array:
    """Draw the effects of days on rows in the order of time, (rows, columns), with a spread of 1."""
    days = WINDOW_DAYS if shifted else REFERENCE_DAYS
    drawn = [effects(Stream("", 1.0, RHO), days, rng) for _ in range(columns)]
    return np.stack(drawn, axis=1)[np.arange(rows) * days // rows]


class BinaryStream:
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
        if self.case == "days":
            x += INPUT_SPREAD * by_day(rows, 3, rng, shifted=shifted)
        slopes = self.slopes * [1, 1, 0] if self.case == "blind" else self.slopes
        known = x @ slopes + self.base
        logit = known
        if self.case == "blind":
            logit = known + x[:, 2] * self.slopes[2]
        elif self.case == "folded":
            logit = np.abs(known) - 1.0
        elif self.case == "faults":
            logit = known + TRUTH_SPREAD * by_day(rows, 1, rng, shifted=shifted)[:, 0]
        scores = expit(self.confidence * known + self.offset).astype(np.float32)
        truth = (rng.random(rows) < expit(logit)).astype(np.int64)
        return Sample(scores, (scores > self.threshold).astype(np.int64), truth)


class ClassStream:
    """The same of many classes."""

    def __init__(self, case: str, rng: np.random.Generator) -> None:
        self.days, classes = case.endswith("days"), int(case.removesuffix("days"))
        self.slopes = rng.normal(size=(6, classes)) * 0.9
        self.base = rng.normal(size=classes) * 0.7
        self.confidence = float(rng.uniform(0.5, 2.0))
        self.offset = rng.normal(size=classes) * 0.4
        self.move, self.width = rng.uniform(-1.0, 1.0, 6), rng.uniform(0.7, 1.3, 6)

    def sample(self, rows: int, rng: np.random.Generator, *, shifted: bool) -> Sample:
        """Draw rows of the reference, or of the shifted window."""
        x = rng.normal(size=(rows, 6))
        if shifted:
            x = x * self.width + self.move
        if self.days:
            x += INPUT_SPREAD * by_day(rows, 6, rng, shifted=shifted)
        logit = x @ self.slopes + self.base
        below = softmax(logit, axis=1).cumsum(axis=1)[:, :-1]
        truth = (below < rng.random((rows, 1))).sum(axis=1)
        scores = softmax(self.confidence * logit + self.offset, axis=1).astype(np.float32)
        return Sample(scores, scores.argmax(axis=1), truth)


def estimate_of_binary(reference: Sample, window: Sample, threshold: float) -> Estimate:
    """Estimate a window as a worker does."""
    edges = find_edges(reference.scores, "score", threshold).fine
    calibration = binary_calibration(binary_reference(*reference, edges))
    assert calibration is not None  # noqa: S101 - the reference has rows
    return estimate_binary(calibration, binary_counts(window.scores, window.said, edges))


def estimate_of_classes(reference: Sample, window: Sample) -> Estimate:
    """Estimate a window as a worker does."""
    kept = class_reference(*reference)
    calibration = None if kept is None else class_calibration(kept)
    assert calibration is not None  # noqa: S101 - the reference has rows
    return estimate_classes(calibration, fold(calibration, window.scores, window.said))


def truth_of(window: Sample) -> dict[str, float]:
    """Figures of the labelled window, by scikit-learn."""
    y, c, score = window.truth, window.said, window.scores.astype(np.float64)
    binary = score.ndim == 1
    kind = {"average": "binary" if binary else "macro", "labels": None if binary else np.unique(y)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class that is never predicted
        found = {
            "accuracy": accuracy_score(y, c),
            "balanced_accuracy": balanced_accuracy_score(y, c),
            "mcc": matthews_corrcoef(y, c),
            "precision": precision_score(y, c, zero_division=np.nan, **kind),
            "recall": recall_score(y, c, **kind),
            "f1": f1_score(y, c, **kind),
        }
    if binary:
        found |= {"base_rate": float(y.mean()), "auc": roc_auc_score(y, score)}
        found |= {"log_loss": log_loss(y, score), "brier": brier_score_loss(y, score)}
    return found


def one_stream(case: str, rng: np.random.Generator) -> tuple[Estimate, dict[str, float]]:
    """Draw one stream; estimate its window and tell the truth."""
    if case in BINARY:
        stream = BinaryStream(case, rng)
        rows = REFERENCE_ROWS // 10 if case == "small" else REFERENCE_ROWS
        reference, window = (
            stream.sample(rows, rng, shifted=False),
            stream.sample(WINDOW_ROWS, rng, shifted=True),
        )
        return estimate_of_binary(reference, window, stream.threshold), truth_of(window)
    many = ClassStream(case, rng)
    reference, window = (
        many.sample(REFERENCE_ROWS, rng, shifted=False),
        many.sample(WINDOW_ROWS, rng, shifted=True),
    )
    return estimate_of_classes(reference, window), truth_of(window)


def simulate(streams: int, cases: tuple[str, ...] = CASES, seed: int = SEED) -> Iterator[Row]:
    """Yield a row for each case and figure."""
    for case in cases:
        seeds = np.random.SeedSequence([seed, CASES.index(case)]).spawn(streams)
        found = [one_stream(case, np.random.default_rng(each)) for each in seeds]
        for name in BINARY_FIGURES if case in BINARY else CLASS_FIGURES:
            known = [
                (figure, truth[name])
                for estimate, truth in found
                if (figure := estimate.of(name)).value is not None and np.isfinite(truth[name])
            ]
            if not known:
                continue
            bare = np.array([[*figure[1:], truth] for figure, truth in known], np.float64)
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
    parser = argparse.ArgumentParser(description="Simulate estimated performance.")
    parser.add_argument("streams", nargs="?", type=int, default=STREAMS)
    parser.add_argument("cases", nargs="*", default=CASES, metavar="case")
    parser.add_argument("--seed", type=int, default=SEED)
    asked = parser.parse_args(arguments)
    if unknown := set(asked.cases) - set(CASES):
        parser.error(f"no case {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    rows = []
    for row in simulate(asked.streams, tuple(asked.cases), asked.seed):
        rows.append(row)
        print(row, file=sys.stderr, flush=True)
    print(
        f"{asked.streams} streams a case, {WINDOW_ROWS:,} rows a window, seed {asked.seed}.\n\n{table(rows)}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
