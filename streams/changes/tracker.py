"""Tracker: the change points of one deployment, model version and slot, from its windows in the order of events."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from statistics import pstdev
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import msgspec

from driftline.schemas.refusal import Refused
from driftline.schemas.window import Figure
from driftline.streams.changes.adwin import DELTA, Adwin, Change

if TYPE_CHECKING:
    from driftline.schemas.window import WindowResult

SERIES_MAX: Final = 500
"""Series that a tracker follows at most; those that would come after are not followed."""
MEAN: Final = "mean_sigma"
"""How far the mean of a feature or score lies from the reference's, in its standard deviations."""
ERRORS: Final = ("accuracy", "rmse")
"""Figures that tell the error: 1 - accuracy of classes, RMSE of numbers."""
FIRST: Final = 20
"""Values from which the unit of a sequence is taken before any of them is fed."""
SPAN: Final = 6.0
"""ADWIN takes values to span 1: the unit is six standard deviations of the first ones."""


_NEVER: Final = -(1 << 62)


class Found(NamedTuple):
    """A change point.

    Attributes:
        figure: of kind `change`: value is the new mean less the old one, rows and reference_rows are the windows
            after and before it, level is ADWIN's delta.
        since_ms: its estimated moment, the start of the first window after it.
        before: mean before it.
        after: mean after it.
        found_ms: end of the window that showed it.
    """

    figure: Figure
    since_ms: int
    before: float
    after: float
    found_ms: int


class Series(msgspec.Struct):
    """One sequence of figures.

    Attributes:
        adwin: what it has been fed, in the unit.
        last_ms: start of the window taken last.
        told_ms: start of the window that showed the last change. What is found later of values before it is the same
            change again: ADWIN forgets the old part bucket by bucket.
        unit: of the values as ADWIN takes them; 0 until the first ones have come.
        first: those, with the starts of their windows, until then.
    """

    adwin: Adwin
    last_ms: int = _NEVER
    told_ms: int = _NEVER
    unit: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    first: Annotated[list[tuple[float, int]], msgspec.Meta(max_length=FIRST)] = msgspec.field(
        default_factory=list
    )

    def take(self, value: float, start_ms: int) -> Change | None:
        """Take in the next value; give the change it shows, its means in the value's own unit."""
        self.last_ms = start_ms
        if self.unit == 0:
            self.first.append((value, start_ms))
            if len(self.first) < FIRST:
                return None
            self.unit = SPAN * pstdev(one for one, _ in self.first) or 1.0
            first, self.first = self.first, []
            for one, at_ms in first[:-1]:
                self.adwin.update(one / self.unit, at_ms)
        change = self.adwin.update(value / self.unit, start_ms)
        if change is None or change.since_ms <= self.told_ms:
            return None
        self.told_ms = start_ms
        return change._replace(before=change.before * self.unit, after=change.after * self.unit)


class Tracker(msgspec.Struct):
    """What is known of the sequences of one deployment, model version, slot and resolution.

    Attributes:
        features: those that are followed; empty for all.
        delta: see `DELTA`.
        series: by kind, feature and metric, with a tab between.
    """

    features: frozenset[str] = frozenset()
    delta: float = DELTA
    series: dict[str, Series] = msgspec.field(default_factory=dict)

    def feed(self, result: WindowResult) -> list[Found]:
        """Take in a window and give the changes that it shows.

        A window counts once it is final, and its error once it is no longer provisional. Each counts once: what is not
        after the window fed last, as a restatement, is left alone.
        """
        found = []
        for (kind, feature, metric), value in _values(result, self.features):
            name = f"{kind}\t{feature}\t{metric}"
            series = self.series.get(name)
            if series is None:
                if len(self.series) >= SERIES_MAX:
                    continue
                series = self.series[name] = Series(Adwin(delta=self.delta))
            if result.window_start_ms <= series.last_ms:
                continue
            change = series.take(value, result.window_start_ms)
            if change is not None:
                found.append(_found(change, self.delta, feature, metric, result.window_end_ms))
        return found

    def to_bytes(self) -> bytes:
        """Give the state; floats keep every bit."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Tracker:
        """Read what `to_bytes` gave; raises Refused (`bad_bytes`) when it is not that."""
        try:
            return msgspec.msgpack.decode(data, type=cls)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise Refused("bad_bytes", f"the state of change points cannot be read: {error}") from error


def _values(result: WindowResult, features: Collection[str]) -> Iterator[tuple[tuple[str, str, str], float]]:
    """Yield what a window says of each sequence."""
    if not result.final:
        return
    for figure in result.figures:
        if figure.value is None or not math.isfinite(figure.value) or figure.segment:
            continue
        if figure.kind == "performance":
            if figure.feature or figure.metric not in ERRORS or result.provisional:
                continue
            if figure.metric == "accuracy":
                yield ("performance", "", "error"), 1.0 - figure.value
            else:
                yield ("performance", "", figure.metric), figure.value
        elif figure.metric == MEAN and (
            figure.kind == "prediction"
            or (figure.kind == "drift" and (not features or figure.feature in features))
        ):
            yield (figure.kind, figure.feature, MEAN), figure.value


def _found(change: Change, delta: float, feature: str, metric: str, found_ms: int) -> Found:
    before, after = change.before, change.after
    day = datetime.fromtimestamp(change.since_ms / 1000, UTC)
    what = f"The mean of {feature}" if feature else f"The {'error' if metric == 'error' else metric.upper()}"
    unit = " standard deviations from the reference" if metric == MEAN else ""
    figure = Figure(
        kind="change",
        feature=feature,
        metric=metric,
        value=after - before,
        reason=(
            f"{what} went from {before:.3g} to {after:.3g}{unit} at about {day:%Y-%m-%d %H:%M} UTC, "
            f"by {change.old} windows before and {change.new} after."
        ),
        rows=change.new,
        reference_rows=change.old,
        level=delta,
    )
    return Found(figure, change.since_ms, before, after, found_ms)
