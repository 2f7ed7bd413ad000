"""Maturity: how long labels take, and whether enough of them have come for figures to mean something.

The labels that come first are a biased sample: fraud that is found within a day is not fraud as it is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from driftline.streams.windows.latency import latency_quantile, latency_rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from driftline.streams.join.outcomes import Outcomes

COVERED: Final = 0.95
"""Share of predictions with a label from which on figures are not provisional any more."""
KNOWN: Final = 0.5
"""Share of the predictions in memory that must have a label before the delays seen so far say how long to wait."""
HORIZON: Final = 0.99
"""Quantile of the observed delays that is waited for where nobody declares a horizon."""


def delays(outcomes: Outcomes) -> tuple[float | None, float | None]:
    """Give the median delay of labels and that which nine of ten did not exceed, s; None without labels."""
    if outcomes.delays is None:
        return None, None
    return latency_quantile(outcomes.delays, 0.5), latency_quantile(outcomes.delays, 0.9)


def observed_ms(sketch: NDArray[np.int64], predictions: int) -> int | None:
    """Give how long labels took so far, ms: the quantile `HORIZON` of their delays.

    Args:
        sketch: int64 (LATENCY_BINS,), of the delays in s.
        predictions: whose labels these are.

    Returns:
        None while fewer than `KNOWN` of them have a label: those that come first are quick.
    """
    if latency_rows(sketch) < max(KNOWN * predictions, 1):
        return None
    longest = latency_quantile(sketch, HORIZON)
    return None if longest is None or math.isinf(longest) else round(longest * 1000)


def provisional(outcomes: Outcomes, end_ms: int, watermark_ms: int, horizon_ms: int | None) -> str:
    """Say why a window's figures are provisional; empty when they are not.

    Args:
        outcomes: of the window.
        end_ms: its end.
        watermark_ms: of the deployment.
        horizon_ms: how long labels are waited for; None when that is not known.
    """
    if outcomes.labels >= COVERED * outcomes.predictions:
        return ""
    if horizon_ms is not None and outcomes.labels and watermark_ms >= end_ms + horizon_ms:
        return ""
    share = outcomes.labels / outcomes.predictions
    return f"Provisional: {share:.0%} of the predictions have a label so far, and more are to come."
