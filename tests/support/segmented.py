"""A stream with two segments: rows of carriers and regions, one of whose values can move by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from counting import batch, profile_of

from driftline.schemas.columns import PredictionColumns
from driftline.schemas.profile import Profile

CARRIERS = ("AA", "DL", "UA", "WN")


def rows(
    seed: int,
    count: int,
    times_ms: np.ndarray | None = None,
    *,
    moved: str = "",
    by: float = 0.0,
    carriers: tuple[str | None, ...] = CARRIERS,
) -> PredictionColumns:
    """Make a batch; the delay of the rows of one carrier is moved by so much."""
    rng = np.random.default_rng(seed)
    carrier = np.array(carriers, object)[rng.integers(0, len(carriers), count)]
    delay = rng.normal(size=count) + np.where(carrier == moved, by, 0.0)
    delay[rng.random(count) < 0.02] = np.nan
    return batch(
        {
            "delay": delay,
            "distance": rng.gamma(2.0, 300.0, count),
            "seats": rng.integers(0, 4, count).astype(float),
        },
        {"plane": rng.choice(["big", "small", None], count).tolist()},
        scores={"score": rng.beta(2, 5, count)},
        segments={"carrier": carrier.tolist(), "region": rng.choice(["east", "west"], count).tolist()},
        times_ms=times_ms,
    )


def reference(count: int = 20_000, **options: Any) -> Profile:
    """Build the profile of rows that nothing has moved."""
    return profile_of(rows(1, count), has_times=False, **options)
