"""Truth: whether performance fell, by the verdicts of a window's primary figures, and by how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from driftline.schemas.advice import Fell
from driftline.schemas.floors import METRICS

if TYPE_CHECKING:
    from driftline.schemas.deployment import DeploymentSettings
    from driftline.schemas.window import Figure
    from driftline.streams.advice.evidence import Evidence

State: TypeAlias = Literal["fell", "warns", "down", "within", "holds", "early", "unjudged"]
"""fell, warns: the verdicts fail and warn. down, within: judged ok, and worse by the floor of a failure or a warning,
though not beyond what chance and days explain. holds: ok. early: labels are still to come. unjudged: no verdict, for
another reason."""
DOWN: Final = ("fell", "warns", "down", "within")
"""States in which performance is worse than the reference by a floor."""
_SAME: Final = {"f1": "macro_f1"}
"""Macro F1 is the figure `f1` of a task of more than two classes."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of performance, or of its estimate.

    Attributes:
        state: see `State`.
        worst: the primary figure that is worst against its floor; None when no figure has a value and a reference.
        judged: the primary figures.
        why: why there is no verdict, a sentence; empty where there is one.
    """

    state: State
    worst: Fell | None
    judged: tuple[Figure, ...]
    why: str = ""


def performance(window: Evidence, settings: DeploymentSettings) -> Truth:
    """Judge what labels say. A provisional window says nothing: early labels are a biased sample."""
    found = _truth(window, settings, "performance")
    if window.provisional or not window.labels:
        coverage = 0.0 if window.coverage is None else window.coverage
        why = f"Only {100 * coverage:.3g} % of the predictions have a label yet."
        return Truth("early", None, found.judged, why if window.labels else "No prediction has a label yet.")
    return found


def estimate(window: Evidence, settings: DeploymentSettings) -> Truth:
    """Judge what the estimate without labels says."""
    return _truth(window, settings, "estimate")


def _truth(window: Evidence, settings: DeploymentSettings, kind: str) -> Truth:
    judged = [
        one
        for one in window.whole(kind)
        if not one.feature and one.verdict is not None and _is_primary(one.metric, settings)
    ]
    falls = [fall for one in judged if (fall := fall_of(one)) is not None]
    worst = max(falls, key=lambda one: _against_floor(one, settings), default=None)
    verdicts = {one.verdict for one in judged}
    if "fail" in verdicts:
        failed = [fall for one in judged if one.verdict == "fail" and (fall := fall_of(one)) is not None]
        return Truth(
            "fell",
            max(failed, key=lambda one: _against_floor(one, settings), default=worst),
            tuple(judged),
        )
    if "warn" in verdicts:
        return Truth("warns", worst, tuple(judged))
    if "ok" in verdicts:
        return Truth(_within(worst, settings), worst, tuple(judged))
    why = next((one.reason for one in judged if one.reason), "Performance carries no verdict.")
    return Truth("unjudged", None, tuple(judged), why)


def _within(worst: Fell | None, settings: DeploymentSettings) -> State:
    """Tell how far a figure that is judged ok is down."""
    if worst is None or worst.value <= settings.floor(worst.metric).warn:
        return "holds"
    return "down" if worst.value > settings.floor(worst.metric).fail else "within"


def fall_of(figure: Figure) -> Fell | None:
    """Give how much worse a figure is than its reference (its `block`), with its interval; None without either."""
    kind = METRICS[figure.metric].kind if figure.metric in METRICS else None
    if figure.value is None or figure.block is None or kind not in {"fall", "rise"}:
        return None
    if kind == "rise" and figure.block <= 0:
        return None
    known = figure.interval in {"iid", "days"} and figure.low is not None and figure.high is not None
    ends = (figure.low, figure.high) if known else (None, None)

    def worse(value: float) -> float:
        return figure.block - value if kind == "fall" else value / figure.block - 1  # type: ignore[operator]

    low, high = (None if end is None else worse(end) for end in (ends if kind == "rise" else ends[::-1]))
    return Fell(
        metric=figure.metric,
        value=worse(figure.value),
        low=low,
        high=high,
        interval=figure.interval if known else "",
        figure=figure.value,
        reference=figure.block,
    )


def fell_sentence(fell: Fell) -> str:
    """Say a fall in words and figures."""
    is_share = METRICS[fell.metric].kind == "rise"
    size = abs(fell.value)
    amount = f"{100 * size:.1f} %" if is_share else f"{size:.3f}"
    side = "worse" if fell.value > 0 else "better"
    said = (
        f"{fell.metric} is {fell.figure:.3f} against {fell.reference:.3f} in the reference: {amount} {side}"
    )
    if fell.low is None or fell.high is None:
        return f"{said}."
    scale = 100 if is_share else 1
    digits = 1 if is_share else 3
    ends = f"{scale * fell.low:+.{digits}f} to {scale * fell.high:+.{digits}f}"
    over = "over days" if fell.interval == "days" else "of independent rows"
    return f"{said} (95 % interval of the figure {over}: {ends}{' %' if is_share else ''})."


def _is_primary(metric: str, settings: DeploymentSettings) -> bool:
    if metric not in METRICS or METRICS[metric].kind == "value":
        return False
    return settings.primary_metric in (None, metric, _SAME.get(metric))


def _against_floor(fell: Fell, settings: DeploymentSettings) -> float:
    return fell.value / settings.floor(fell.metric).fail
