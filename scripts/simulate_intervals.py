"""Simulate the 95 % intervals of performance: how often they cover the figure of the whole stream.

Usage: scripts/simulate_intervals.py [WINDOWS [SEED]]   (2,000 by default, seeded); prints a Markdown table.

A stream of days is drawn, its sums per day are kept as the workers keep them, and the interval of each figure
is computed by the shipped code. It covers when it holds the figure of a stream without end. Every day has its
own effect on the rows' difficulty, an AR(1) from day to day with correlation rho:

    binary       label ~ Bernoulli(0.3), score = ndtr(noise + (1 + effect) (label - 0.5)); class by 0.5
    regression   y ~ N(0, 1), error ~ N(0, exp(effect))

Effects are weak (spread 0.15: hardly more than the noise of a day's 200 rows) or strong (0.5). Beside the interval as
shipped stands that of independent rows, and that of days where no other is known, as for average precision.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from driftline.streams.stats.confusion import accuracy_of
from driftline.streams.stats.intervals import Interval, around, of_mean, over_days, wilson
from driftline.streams.stats.losses import log_loss_terms, mean_of
from driftline.streams.stats.ranking import auc, auc_error, auc_of
from driftline.streams.stats.regression import RegressionSums, rmse_error, rmse_of

FIGURES = ("accuracy", "auc", "log_loss", "rmse")
BINS = 200
BASE_RATE = 0.3
Array = NDArray[np.float64]


class Stream(NamedTuple):
    """How days differ: spread of their effect (0 is iid), and its correlation from one to the next."""

    name: str
    spread: float
    rho: float


WEAK, STRONG = 0.15, 0.5
STREAMS = (
    Stream("iid", 0.0, 0.0),
    *(Stream(f"weak, {rho}", WEAK, rho) for rho in (0.0, 0.3, 0.5, 0.7)),
    *(Stream(f"strong, {rho}", STRONG, rho) for rho in (0.0, 0.3, 0.5, 0.7)),
)
DAYS = (20, 30, 60, 120)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is simulated."""

    windows: int = 2_000
    """Windows drawn for each stream and length."""
    rows_a_day: int = 200
    truth_days: int = 20_000
    """Days whose sums give the figure of the stream without end."""
    seed: int = 20130101


class Row(NamedTuple):
    """One line of the table: shares of intervals that cover, from 0 to 1."""

    stream: str
    days: int
    figure: str
    shipped: float
    iid: float
    """Of the interval of independent rows alone."""
    days_alone: float
    """Of the interval over days that knows of no other."""
    width: float
    """Median width of the shipped interval over that of independent rows."""
    windows: int


class Days(NamedTuple):
    """Sums per day of one stretch of a stream; first axis days."""

    positives: NDArray[np.int64]
    negatives: NDArray[np.int64]
    confusion: NDArray[np.int64]
    loss: Array
    loss_squared: Array
    squared: Array
    fourth: Array

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows of each day."""
        return np.asarray(self.confusion.sum(axis=(1, 2)))


def effects(stream: Stream, days: int, rng: np.random.Generator) -> Array:
    """Draw the effect of each day."""
    noise = rng.normal(size=days)
    found = np.empty(days)
    found[0] = noise[0]
    for day in range(1, days):
        found[day] = stream.rho * found[day - 1] + np.sqrt(1 - stream.rho**2) * noise[day]
    return stream.spread * found


def draw(stream: Stream, days: int, rows: int, rng: np.random.Generator) -> Days:
    """Draw a stretch of a stream and count it by day."""
    effect = effects(stream, days, rng)[:, None]
    label = rng.random((days, rows)) < BASE_RATE
    score = ndtr(rng.normal(size=(days, rows)) + (1 + effect) * (label - 0.5))
    cell = (
        np.minimum((score * BINS).astype(np.int64), BINS - 1)
        + BINS * label
        + 2 * BINS * np.arange(days)[:, None]
    )
    bins = np.bincount(cell.ravel(), minlength=days * 2 * BINS).reshape(days, 2, BINS)
    said = bins.reshape(days, 2, 2, BINS // 2).sum(axis=-1)
    loss = log_loss_terms(score, label)
    squared = rng.normal(size=(days, rows)) ** 2 * np.exp(effect)
    return Days(
        bins[:, 1],
        bins[:, 0],
        said,
        loss.sum(axis=1),
        (loss**2).sum(axis=1),
        squared.sum(axis=1),
        (squared**2).sum(axis=1),
    )


def regression_sums(rows: object, squared: object, fourth: object = 0.0) -> RegressionSums:
    """Lay out the sums that RMSE needs."""
    return RegressionSums(rows, 0.0, 0.0, squared, fourth, 0.0, 0.0, rows, 0.0, 0.0)


def values(days: Days) -> dict[str, float]:
    """Every figure of a stretch as one."""
    positives, negatives, confusion, loss, _, squared, _ = (field.sum(axis=0) for field in days)
    rows = days.rows.sum()
    return {
        "accuracy": float(accuracy_of(confusion)),
        "auc": float(auc_of(positives, negatives).value),
        "log_loss": float(mean_of(rows, loss)),
        "rmse": float(rmse_of(regression_sums(rows, squared))),
    }


class Found(NamedTuple):
    """Intervals of one figure."""

    shipped: Interval | None
    iid: Interval | None
    days_alone: Interval | None


def intervals(days: Days) -> dict[str, Found]:
    """Intervals of every figure."""
    positives, negatives, confusion, loss, loss_squared, squared, fourth = (
        field.sum(axis=0) for field in days
    )
    rows = int(days.rows.sum())
    ranked = auc(positives, negatives)
    sums = regression_sums(rows, squared, fourth)
    iid = {
        "accuracy": wilson(int(np.trace(confusion)), rows),
        "auc": around(None if ranked is None else ranked.value, auc_error(positives, negatives)),
        "log_loss": of_mean(rows, loss, loss_squared),
        "rmse": around(float(rmse_of(sums)), rmse_error(sums)),
    }
    by_day: dict[str, tuple[Callable[..., Array], list[Array]]] = {
        "accuracy": (accuracy_of, [days.confusion]),
        "auc": (lambda p, n: auc_of(p, n).value, [days.positives, days.negatives]),
        "log_loss": (mean_of, [days.rows, days.loss]),
        "rmse": (lambda n, total: rmse_of(regression_sums(n, total)), [days.rows, days.squared]),
    }
    return {
        figure: Found(over_days(*by_day[figure], iid[figure]), iid[figure], over_days(*by_day[figure]))
        for figure in FIGURES
    }


def simulate(
    size: Size, streams: tuple[Stream, ...] = STREAMS, lengths: tuple[int, ...] = DAYS
) -> Iterator[Row]:
    """Yield a row for each stream, length of the window and figure."""
    for stream in streams:
        rng = np.random.default_rng([size.seed, round(100 * stream.rho), round(100 * stream.spread)])
        # The day's effect has the same law whatever rho is; independent days tell the truth soonest.
        truth = values(draw(stream._replace(rho=0.0), size.truth_days, size.rows_a_day, rng))
        for length in lengths:
            covered = {figure: np.zeros(3) for figure in FIGURES}
            widths: dict[str, list[float]] = {figure: [] for figure in FIGURES}
            for _ in range(size.windows):
                for figure, found in intervals(draw(stream, length, size.rows_a_day, rng)).items():
                    covered[figure] += [
                        one is not None and one.low <= truth[figure] <= one.high for one in found
                    ]
                    if found.shipped is not None and found.iid is not None:
                        ends = found.shipped.high - found.shipped.low, found.iid.high - found.iid.low
                        widths[figure].append(ends[0] / ends[1])
            for figure in FIGURES:
                share = covered[figure] / size.windows
                yield Row(
                    stream.name,
                    length,
                    figure,
                    *share.tolist(),
                    float(np.median(widths[figure])),
                    size.windows,
                )


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table, figures side by side; the last three columns are means over them."""
    lines = [
        f"| effect, rho | days | {' | '.join(FIGURES)} | iid alone | days alone | width |",
        "|---|--:|" + "--:|" * (len(FIGURES) + 3),
    ]
    for first in range(0, len(rows), len(FIGURES)):
        beside = rows[first : first + len(FIGURES)]
        iid, days, width = np.mean([[row.iid, row.days_alone, row.width] for row in beside], axis=0)
        shares = " | ".join(f"{100 * share:.1f}" for share in (*(row.shipped for row in beside), iid, days))
        lines.append(f"| {beside[0].stream} | {beside[0].days} | {shares} | {width:.1f} |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Run the simulation and print its table."""
    size = Size(**{name: int(number) for name, number in zip(("windows", "seed"), arguments, strict=False)})
    rows = []
    for row in simulate(size):
        rows.append(row)
        print(row, file=sys.stderr, flush=True)
    print(f"{size.windows:,} windows a row, {size.rows_a_day} rows a day, seed {size.seed}; in percent.")
    print(f"\n{table(rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
