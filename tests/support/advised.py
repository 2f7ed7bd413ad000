"""Months for tests of advice events: what drift and labels said of each, as the alerts worker reads it."""

from __future__ import annotations

from typing import Any

from bad_windows import window

from driftline.schemas.window import Figure, WindowResult

MONTH_MS = 30 * 86_400_000
AUC = {"ok": 0.70, "warn": 0.66, "fail": 0.60}


def month(number: int, version: int, **over: Any) -> WindowResult:
    """A month of 30 days without figures."""
    start_ms = number * MONTH_MS
    span = {
        "window_start_ms": start_ms,
        "window_end_ms": start_ms + MONTH_MS,
        "watermark_ms": start_ms + MONTH_MS,
    }
    return window(0, version, {}, **{"resolution": "1M", "figures": [], **span, **over})


def inputs(number: int, verdict: str, version: int = 1, **over: Any) -> WindowResult:
    """What drift said of a month."""
    figures = [
        Figure(
            "drift", "x", "psi", 0.9, null=0.01, floor=0.1, verdict=verdict, reason="x.", rows=500, level=0.01
        ),
        Figure("drift", "x", "w1_sigma", 0.7, rows=500),
        Figure("drift", "x", "psi", 0.9, verdict=verdict, rows=50, segment="region=north"),
        Figure("drift", "x", "ks", 0.4, rows=500),
        Figure("quality", "x", "nulls", 0.1, verdict="fail", reason="x has nulls.", rows=500),
    ]
    return month(number, version, figures=figures, **over)


def labels(number: int, verdict: str | None, version: int = 1, **over: Any) -> WindowResult:
    """What labels said of a month; None for those that are still to come."""
    value = AUC[verdict or "ok"]
    figures = [
        Figure("performance", "", "auc", value, block=0.7, verdict=verdict or "ok", low=value - 0.03,
               high=value + 0.03, interval="days", reason="auc.", rows=450),
        Figure("performance", "", "auc", 0.5, block=0.7, verdict="fail", rows=50, segment="region=north"),
    ]  # fmt: skip
    given = {"role": "accuracy", "labels": 450, "provisional": verdict is None, "figures": figures}
    return month(number, version, **{**given, **over})
