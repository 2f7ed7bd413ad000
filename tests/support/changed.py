"""Days for tests of change points: means and errors that shift on a day, as the alerts worker reads them."""

from __future__ import annotations

import random
from typing import Any

from bad_windows import window

from driftline.schemas.window import Figure, WindowResult


def means(day: int, version: int = 1, *, shift: int = 40, feature: str = "x", **over: Any) -> WindowResult:
    """What drift said of a day: the mean of a feature is about 0.1, and 2 from the day `shift` on."""
    value = (2.0 if day >= shift else 0.1) + random.Random(day).uniform(-0.05, 0.05)
    figures = [Figure("drift", feature, "mean_sigma", value, rows=500)]
    return window(day, version, {}, **{"figures": figures, **over})


def errors(day: int, version: int = 1, *, shift: int = 40, better: bool = False, **over: Any) -> WindowResult:
    """What labels said of a day: accuracy is about 0.9, and 0.5 from the day `shift` on; the other way when better."""
    low = (day >= shift) != better
    value = (0.5 if low else 0.9) + random.Random(day).uniform(-0.01, 0.01)
    figures = [Figure("performance", "", "accuracy", value, rows=500)]
    return window(day, version, {}, **{"role": "accuracy", "labels": 500, "figures": figures, **over})
