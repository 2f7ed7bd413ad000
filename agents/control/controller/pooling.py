"""Pooling: a figure of several windows as one value and its standard error, by how many rows each is about; pure.

By rows, and not by how sure each window is of itself: one that looks good by chance is the surer, so that such weights
would favour the version with the smaller windows, as a canary's are. Few rows that agree do not show how far chance
may have them from the truth: none are taken for surer than those of both versions are by and large.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from driftline.schemas.floors import LARGEST_FALL, METRICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from driftline.schemas.window import Figure, WindowResult

Pooled = tuple[float, float]
"""A value and its standard error."""
Weighted = list[tuple[float, float]]
"""Values of windows, and what each weighs."""

TWO_SIDED: Final = 1.96
LEAST_WINDOWS: Final = 4
"""Of so many windows one sees how much they differ by themselves."""
LEAST_OF_CLASS: Final = 10
"""Rows of a class that its F1 needs of each version to be compared: of fewer it is 0 or 1 by chance."""


class Told(NamedTuple):
    """A figure of one window.

    Attributes:
        value: of it.
        rows: that it is about; of an F1 those that were called so and those that are.
        error: standard error; 0 where all rows agree.
        hidden: how far the figure may be from the truth beside that, whatever rows the window has, as bins hide it.
    """

    value: float
    rows: int
    error: float
    hidden: float = 0.0


class OfClass(NamedTuple):
    """Rows of a class.

    Attributes:
        called: rows that were called so.
        labels: rows that are so.
        hits: rows that are both.
    """

    called: int = 0
    labels: int = 0
    hits: int = 0

    @property
    def f1(self) -> float:
        """Of at least one row."""
        return 2 * self.hits / (self.called + self.labels)

    @property
    def variance(self) -> float:
        """Of that F1, by the rows that are its own; one hit more in two, so that rows that agree are no proof.

        A row that was called something else takes from the F1 of two classes at once: it counts twice.
        """
        both = self.called + self.labels
        f1 = (2 * self.hits + 1) / (both + 2)
        return (self.hits * (2 - 2 * f1) ** 2 + 2 * (both - 2 * self.hits) * f1**2) / both**2


_NONE: Final = OfClass()
_IMPOSSIBLE: Final = 1 << 64
"""Hits, where a recall is no share: more than there are calls."""


def told(kind: str, metric: str, windows: Iterable[WindowResult]) -> list[Told]:
    """A figure of windows, where one tells how sure it is, or that its rows all agree."""
    found = []
    for window in windows:
        figure, chance = (_last(kind, name, window) for name in (metric, f"{metric}_error"))
        if figure is None or figure.value is None or figure.rows <= 0:
            continue
        error, hidden = _unsure(figure, chance)
        rows = figure.rows
        if metric == "f1":
            # A share of these, which few of many rows may be: small windows would be worse by their size alone.
            said, true = (_last(kind, name, window) for name in ("precision", "recall"))
            rows = rows if said is None or true is None else said.rows + true.rows
        if rows > 0 and _can_be(metric, figure.value) and 0 <= error < math.inf and 0 <= hidden < math.inf:
            found.append(Told(figure.value, rows, error, hidden))
    return found


def row_error(windows: Iterable[Told]) -> float:
    """The standard error that one row has by itself, by windows whose rows differ; 0 where there is none."""
    sure = [one for one in windows if one.error > 0]
    errors = math.hypot(*(one.rows * one.error for one in sure))
    return errors / math.sqrt(sum(one.rows for one in sure)) if sure else 0.0


def pooled(windows: Sequence[Told], metric: str, of_one: float, whole: Pooled | None = None) -> Pooled | None:
    """The figure as of all rows of the windows at once.

    Args:
        windows: of one version.
        metric: whose figure it is; squares are what rows add up to in an RMSE.
        of_one: standard error of a row of either version, below which none is: few rows may seem to agree.
        whole: that of all rows, where it is known, and its error at least; else the windows' mean.

    Returns:
        None of no window, or where nobody knows how sure it is.
    """
    rows = sum(one.rows for one in windows)
    if not rows:
        return None
    is_root = metric == "rmse"
    mean = weighted_mean([(one.value * (one.value if is_root else 1.0), one.rows) for one in windows])
    value, least = whole if whole is not None else (math.sqrt(mean) if is_root else mean, 0.0)
    if not math.isfinite(value) or (is_root and value <= 0):
        return None
    parts = (one.rows * one.error * (one.value / value if is_root else 1.0) for one in windows)
    error = max(math.hypot(*parts) / rows, of_one / math.sqrt(rows), least)
    hidden = math.hypot(*(one.rows * one.hidden for one in windows)) / rows
    return (value, error + hidden) if 0 < error < math.inf else None


class OfClasses(NamedTuple):
    """The macro F1 of each version; `is_whole` where no class was left out for counts that cannot be."""

    sides: list[Pooled]
    is_whole: bool


def of_classes(kind: str, *sides: Iterable[WindowResult]) -> OfClasses | None:
    """The macro F1 of all rows of each version and its error, over the classes of which each has some rows.

    A mean over windows would be less the fewer rows of a class each has, and so are the first figures of a rare class.
    Of few classes among many chance has it further from the truth than windows tell of all of them.

    Returns:
        No numbers where no class has enough rows; None where windows of a version tell of no class.
    """
    found = [_by_class(kind, windows) for windows in sides]
    if not all(found):
        return None
    odd = {name for side in found for name, one in side.items() if one.hits > one.called}
    common = {
        name
        for name in found[0].keys() - odd
        if all(one.get(name, _NONE).labels >= LEAST_OF_CLASS for one in found)
    }
    return OfClasses([_mean_of([one[name] for name in common]) for one in found], is_whole=not odd)


def _mean_of(classes: Sequence[OfClass]) -> Pooled:
    count = len(classes)
    if not count:
        return math.nan, math.nan
    return sum(one.f1 for one in classes) / count, math.sqrt(sum(one.variance for one in classes)) / count


def _by_class(kind: str, windows: Iterable[WindowResult]) -> dict[str, OfClass]:
    found: dict[str, OfClass] = {}
    for window in windows:
        for one in window.figures:
            if (one.kind, one.segment) != (kind, "") or not one.feature or one.rows < 0:
                continue
            before = found.get(one.feature, _NONE)
            if one.metric == "precision":
                found[one.feature] = before._replace(called=before.called + one.rows)
            elif one.metric == "recall":
                share = 0.0 if one.value is None else one.value
                hits = round(share * one.rows) if 0 <= share <= 1 else _IMPOSSIBLE
                found[one.feature] = before._replace(labels=before.labels + one.rows, hits=before.hits + hits)
    return found


def typical(windows: Weighted) -> Pooled | None:
    """The mean over windows by their weights, and how far one more may be from it, as a standard error; None of few.

    As though what makes a time hard were the same in all windows of the new version: so many more of them, of one day,
    tell no more of how days differ.
    """
    count = len(windows)
    if count < LEAST_WINDOWS:
        return None
    mean, weights = weighted_mean(windows), sum(weight for _, weight in windows)
    spread = (
        sum(weight * (value - mean) * (value - mean) for value, weight in windows)
        / weights
        * count
        / (count - 1)
    )
    return mean, math.sqrt(spread * (1 + 1 / count)) * _student(count - 1) / TWO_SIDED


def weighted_mean(windows: Weighted) -> float:
    """The mean of values by their weights."""
    return sum(value * weight for value, weight in windows) / sum(weight for _, weight in windows)


def figures(kind: str, metric: str, windows: Iterable[WindowResult]) -> list[Figure]:
    """The figures of whole windows of a kind and name."""
    return [
        figure
        for one in windows
        for figure in one.figures
        if (figure.kind, figure.metric, figure.feature, figure.segment) == (kind, metric, "", "")
    ]


def _last(kind: str, metric: str, window: WindowResult) -> Figure | None:
    found = figures(kind, metric, (window,))
    return found[-1] if found else None


def _can_be(metric: str, value: float) -> bool:
    """Whether a metric can have a value: one that is to be high is a share, one that is to be low is at least 0."""
    return 0 <= value <= LARGEST_FALL if METRICS[metric].kind == "fall" else 0 <= value < math.inf


def _unsure(figure: Figure, chance: Figure | None) -> tuple[float, float]:
    """How far chance may have a figure from the truth, as a standard error, and bins beside it, as half of a width.

    0 where all rows agree; no number where it is not told. Bounds are of what bins hide: chance between rows stands in
    a figure of its own.
    """
    if figure.low is None or figure.high is None:
        return 0.0 if figure.rows > 1 else math.nan, 0.0
    half = (figure.high - figure.low) / (2 * TWO_SIDED)
    if figure.interval != "bounds":
        return half, 0.0
    return math.nan if chance is None or chance.value is None else chance.value, half


def _student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t, from 3 degrees of freedom on, within 1 % (Abramowitz and Stegun, 26.7.5)."""
    z = TWO_SIDED
    terms: tuple[float, ...] = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return z + sum(term / float(freedom) ** power for power, term in enumerate(terms, 1))
