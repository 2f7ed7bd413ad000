"""Verdicts on performance: the primary metrics of a window, held against the yardstick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scipy.special import ndtri

from driftline.schemas.floors import METRICS
from driftline.streams.stats.fall import Known, judge_fall
from driftline.streams.stats.intervals import around
from driftline.streams.stats.verdict import Decision, too_few
from driftline.streams.windows.judge import OPEN, UNCOMPARED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.schemas.deployment import DeploymentSettings
    from driftline.schemas.window import Figure
    from driftline.streams.join.scheme import Scheme
    from driftline.streams.join.yardstick import Yardstick

_TAIL: Final = 0.025
NO_TRUTH: Final = (
    "The profile has no truth to hold performance against: build it from a table with a target column."
)
OTHER_QUESTION: Final = (
    "The reference was counted for another task or positive class than the settings name: build the profile again for "
    "them (profile build --positive-class)."
)
OTHER_CUT: Final = (
    "The reference was cut at another threshold than the settings name: build the profile again for it (profile build "
    "--threshold)."
)


class Stage(NamedTuple):
    """How far a window has come."""

    closed: bool
    provisional: str
    """Why so many labels are still to come that figures may be those of a biased sample; empty when they are not."""


def judge_performance(
    figures: Sequence[Figure],
    scheme: Scheme,
    yardstick: Yardstick | None,
    settings: DeploymentSettings,
    stage: Stage,
    together: int = 1,
) -> None:
    """Give each figure the reference's value and the primary metrics a verdict, in place.

    Args:
        figures: of one window, without verdicts.
        scheme: by which it was counted.
        yardstick: the reference; None when its profile has no truth.
        settings: which metric counts, floors, least rows.
        stage: how far the window has come.
        together: how many are judged at once, as the values of segments are: their intervals are widened, so that
            one of all is left out by chance as often as one alone would be (Bonferroni).
    """
    wider = float(ndtri(1 - _TAIL / max(together, 1)) / ndtri(1 - _TAIL))
    held = {} if yardstick is None else yardstick.held_for(scheme)
    for figure in figures:
        reference = held.get((figure.metric, figure.feature))
        if reference is not None and reference.value is not None:
            figure.block, figure.reference_rows = reference.value, reference.rows
    by_name = {figure.metric: figure for figure in figures if not figure.feature}
    why = _held_back(scheme, yardstick, stage)
    for metric in settings.primary_metrics(scheme.task):
        if metric in by_name:
            judged = by_name[metric]
            judged.verdict, judged.reason = _decision(
                judged, held.get((metric, "")), by_name, yardstick, settings, why, wider
            )
            if judged.block is not None:
                judged.floor = first_warning(metric, judged.block, settings)


def _held_back(scheme: Scheme, yardstick: Yardstick | None, stage: Stage) -> str:
    """Why no primary metric of a window can be judged; empty when they can."""
    if not stage.closed:
        return OPEN
    if stage.provisional:
        return stage.provisional
    if yardstick is None:
        return NO_TRUTH
    if yardstick.provenance in UNCOMPARED:
        return UNCOMPARED[yardstick.provenance]
    return "" if yardstick.fits(scheme) else OTHER_QUESTION


def _decision(
    figure: Figure,
    reference: Figure | None,
    by_name: Mapping[str, Figure],
    yardstick: Yardstick | None,
    settings: DeploymentSettings,
    why: str,
    wider: float,
) -> Decision:
    if why:
        return Decision("inconclusive", why)
    if reference is None and yardstick is not None and (figure.metric, "") in yardstick.figures:
        return Decision("inconclusive", OTHER_CUT)
    reference_rows = 0 if reference is None else reference.rows
    short = too_few(figure.rows, reference_rows, settings.minimum_rows)
    if short is not None:
        return Decision("inconclusive", short.reason.replace("a value", "a label"))
    window = known(figure, by_name.get(f"{figure.metric}_error"))
    error = None if yardstick is None else yardstick.figures.get((f"{figure.metric}_error", ""))
    other = None if reference is None else known(reference, error)
    if window is None or other is None:
        return Decision(
            "inconclusive", f"{figure.metric} or its interval is undefined for so few or such equal rows."
        )
    metric = METRICS[figure.metric]
    window, other = window.widened(wider), other.widened(wider)
    return judge_fall(figure.metric, window, other, settings.floor(figure.metric), metric.kind)


def known(figure: Figure, error: Figure | None) -> Known | None:
    """Give a figure with the ends of its 95 % interval; None when one of the three is not known.

    Bounds are of what bins do not tell; chance between rows comes on top of them.
    """
    if figure.value is None or figure.low is None or figure.high is None:
        return None
    if figure.interval != "bounds":
        return Known(figure.value, figure.low, figure.high)
    chance = around(figure.value, None if error is None else error.value)
    if chance is None:
        return None
    half = chance.high - figure.value
    return Known(figure.value, figure.low - half, figure.high + half)


def first_warning(metric: str, reference: float, settings: DeploymentSettings) -> float:
    """Give the value of a metric from which on it is worse than the reference by enough to warn."""
    floor = settings.floor(metric)
    if METRICS[metric].kind == "fall":
        return reference - floor.warn
    return reference * (1 + floor.warn)
