"""Fall: whether a metric is worse than the reference, beyond both intervals and by more than the floor.

The difference of two figures, each with an interval of its own, has the interval (MOVER)

    low  = d - sqrt((value - low)^2 of the better one's lower side + (high - value)^2 of the other's upper side)

and the metric fell when even the lower end of the fall is above 0. Source: Zou and Donner 2008, "Construction of
confidence limits about effect measures".
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from driftline.schemas.floors import Floor, Kind
from driftline.streams.stats.verdict import Decision

_FALL: Final = "below"
_RISE: Final = "above"


class Known(NamedTuple):
    """A figure and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def widened(self, factor: float) -> Known:
        """Give the ends a distance from the value greater by a factor."""
        value, low, high = self
        return Known(value, value - factor * (value - low), value + factor * (high - value))


def worsening(window: Known, reference: Known, kind: Kind) -> Known:
    """How much worse a window is than the reference, with its 95 % interval, in the metric's unit.

    Args:
        window: the metric in the window.
        reference: the metric in the reference.
        kind: `fall` for a metric whose greater values are better, `rise` for one whose lesser are.

    >>> worse = worsening(Known(0.6, 0.57, 0.63), Known(0.7, 0.66, 0.74), "fall")
    >>> round(worse.value, 3), round(worse.low, 3), round(worse.high, 3)
    (0.1, 0.05, 0.15)
    """
    better, other = (reference, window) if kind == "fall" else (window, reference)
    found = better.value - other.value
    low = found - math.hypot(better.value - better.low, other.high - other.value)
    high = found + math.hypot(better.high - better.value, other.value - other.low)
    return Known(found, low, high)


def judge_fall(metric: str, window: Known, reference: Known, floor: Floor, kind: Kind) -> Decision:
    """Judge one metric of a window that is large enough and complete.

    >>> judge_fall("auc", Known(0.6, 0.57, 0.63), Known(0.7, 0.66, 0.74), Floor(warn=0.03, fail=0.05), "fall")
    Decision(verdict='fail', reason='auc 0.6 is 0.1 below the reference (0.7), at least 0.05; 0.05 fails.')
    """
    worse = worsening(window, reference, kind)
    scale = 1.0 if kind == "fall" else abs(reference.value)
    warn, fail = floor.warn * scale, floor.fail * scale
    side = _FALL if kind == "fall" else _RISE
    said = (
        f"{metric} {window.value:.3g} is {abs(worse.value):.2g} {side} the reference ({reference.value:.3g})"
    )
    if worse.value <= 0:
        return Decision(
            "ok", f"{metric} {window.value:.3g} is no worse than the reference ({reference.value:.3g})."
        )
    if worse.value <= warn:
        return Decision("ok", f"{said}, too little to matter ({warn:.2g}).")
    if worse.low <= 0:
        return Decision("ok", f"{said}, within what chance and days explain.")
    limit = fail if worse.value > fail else warn
    verb = "fails" if worse.value > fail else "warns"
    return Decision(
        "fail" if worse.value > fail else "warn", f"{said}, at least {worse.low:.2g}; {limit:.2g} {verb}."
    )
