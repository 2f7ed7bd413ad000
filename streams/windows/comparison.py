"""Comparison: two tables judged as the stream would judge a window, without Kafka, for a notebook or a command."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from driftline.schemas.profile import Profile
from driftline.schemas.shapes import PredictionColumns
from driftline.schemas.window import Figure
from driftline.streams.stats.verdict import Rule
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.frames import FrameError, batch_of, names_of
from driftline.streams.windows.judge import DEFAULT, judge
from driftline.streams.windows.layout import Layout
from driftline.streams.windows.profiling import build_profile
from driftline.streams.windows.resolution import DAY_MS, HOUR_MS, MINUTE_MS, Resolution

SEED: Final = 2013
"""The draws of blocks are the same each time, so that a comparison is too."""
WIDTHS_MS: Final = (("5m", 5 * MINUTE_MS), ("1h", HOUR_MS), ("1d", DAY_MS), ("7d", 7 * DAY_MS))


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two tables have been found to differ in.

    Attributes:
        figures: all figures, those with a verdict and those without.
        resolution: width of windows whose variation in the reference the verdicts allow for.
        rows: rows of the current table.
        reference_rows: rows of the reference.
        profile: the reference, as the stream would have it.
        counters: the current rows, as the stream would count them.
    """

    figures: list[Figure]
    resolution: str
    rows: int
    reference_rows: int
    profile: Profile
    counters: Counters

    @property
    def drifted(self) -> list[str]:
        """Names of features and outputs whose drift warns or fails, the farthest first."""
        found = [f for f in self.figures if f.metric == "psi" and f.verdict in {"warn", "fail"}]
        return [figure.feature for figure in sorted(found, key=lambda f: f.value or 0.0, reverse=True)]

    def figure(self, feature: str, metric: str = "psi") -> Figure:
        """Find a figure.

        Raises:
            KeyError: when there is none of that feature and metric.

        """
        for figure in self.figures:
            if (figure.feature, figure.metric) == (feature, metric):
                return figure
        raise KeyError(f"the comparison has no figure {metric!r} of {feature!r}")

    def __str__(self) -> str:
        """The verdicts on drift, one a line."""
        lines = [f"{self.rows} rows against {self.reference_rows}, judged as a window of {self.resolution}"]
        lines += [
            f"{figure.verdict or '':12}  {figure.feature:24}  {figure.reason}"
            for figure in self.figures
            if figure.metric == "psi"
        ]
        return "\n".join(lines)


def compare(  # noqa: PLR0913 - roles of columns, which a frame cannot say
    reference: Any,  # noqa: ANN401 - a dict of arrays, a pandas or polars frame, an Arrow table
    current: Any,  # noqa: ANN401 - likewise
    *,
    features: Sequence[str] | None = None,
    scores: Sequence[str] = (),
    predicted: str | None = None,
    timestamps: str | None = None,
    provenance: str = "none",
    resolution: str | None = None,
    rule: Rule = DEFAULT,
) -> Comparison:
    """Compare two tables: the same figures and verdicts as streamed.

    Args:
        reference: how it should be: a dict of arrays, a pandas or polars data frame, or an Arrow table.
        current: how it is.
        features: columns to compare; all of the reference that have no other part when None.
        scores: columns with the model's scores.
        predicted: column with the class that the model gave.
        timestamps: column with event times, in both tables: datetimes (without a zone taken as UTC) or ms since
            1970. Without it there is no null from the reference's own windows, and nothing more than a warning.
        provenance: where the reference's scores come from: held-out, out-of-fold, in-sample; with in-sample, and
            unsaid, the prediction has no verdict.
        resolution: width of windows to allow for; that of the current table's times when None.
        rule: level, floors and minimum count.

    Raises:
        FrameError: the reference lacks a column, or the current table its times or all columns (one that lacks some has
            them judged as missing); a column has no place in a bin; a table is none.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> found = compare({"x": rng.normal(size=5000)}, {"x": rng.normal(1, 1, size=2000)})
    >>> found.drifted, found.figure("x").verdict
    (['x'], 'warn')

    """
    for what, listed in (("features", features), ("scores", scores)):
        if isinstance(listed, str):
            raise FrameError(f"{what} is the text {listed!r}: give a list of names")
    others = {*scores, *(name for name in (predicted, timestamps) if name is not None)}
    named = (
        [name for name in names_of(reference) if name not in others] if features is None else list(features)
    )
    if not named and not scores and predicted is None:
        raise FrameError("the reference has no column to compare: name features, scores or a predicted class")
    old = batch_of(reference, named, scores=scores, predicted=predicted, timestamps=timestamps)
    numbers = {name for block in old.features for name in block.names}
    have = set(names_of(current))
    judged = [*named, *scores, *(() if predicted is None else (predicted,))]
    if not have.intersection(judged):
        what = ", ".join(map(repr, judged[:12]))
        raise FrameError(
            f"the current table has no column of {what}: it has {', '.join(sorted(have)) or 'none'}"
        )
    new = batch_of(
        current,
        [name for name in named if name in have],
        scores=[name for name in scores if name in have],
        predicted=predicted if predicted in have else None,
        timestamps=timestamps,
        numbers=numbers,
    )
    return compare_batches(
        [old],
        [new],
        has_times=timestamps is not None,
        provenance=provenance,
        resolution=resolution,
        rule=rule,
    )


def compare_batches(
    reference: Iterable[PredictionColumns],
    current: Iterable[PredictionColumns],
    *,
    has_times: bool,
    provenance: str = "none",
    resolution: str | None = None,
    rule: Rule = DEFAULT,
) -> Comparison:
    """Compare rows that are columns already; arguments as those of `compare`.

    Args:
        reference: batches of the reference.
        current: batches of the current rows; read after the reference.
        has_times: whether the event times of both are real.
        provenance: where the reference's scores come from.
        resolution: width of windows to allow for.
        rule: level, floors and minimum count.

    """
    batches = list(current)
    width = (
        Resolution.parse(resolution) if resolution is not None else _width_of(batches, has_times=has_times)
    )
    profile = build_profile(
        reference,
        rng=np.random.default_rng(SEED),
        created_at_ms=0,
        provenance=provenance,
        resolutions=(width.name,),
        has_times=has_times,
        minimum_rows=rule.minimum_rows,
    )
    counters = Counters(Layout(profile))
    for batch in batches:
        counters.fold(batch)
    figures = judge(profile, counters, width, rule=rule)
    return Comparison(figures, width.name, counters.rows, profile.rows, profile, counters)


def _width_of(batches: Sequence[PredictionColumns], *, has_times: bool) -> Resolution:
    """The narrowest resolution as wide as the times of some rows; a month for longer ones, a day without times."""
    known = [batch.times_ms for batch in batches if batch.rows]
    if not has_times or not known:
        return Resolution("1d")
    span_ms = max(int(times.max()) for times in known) - min(int(times.min()) for times in known)
    return Resolution(next((name for name, width_ms in WIDTHS_MS if span_ms < width_ms), "1M"))
