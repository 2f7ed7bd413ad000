"""Small batches to break in one place each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from driftline.schemas.columns import (
    Category,
    Gap,
    Identity,
    LabelColumns,
    NumericBlock,
    PredictionColumns,
)

# 2013-04-01T00:00:00Z
APRIL_MS = 1_364_774_400_000


@pytest.fixture
def predictions() -> Callable[..., PredictionColumns]:
    """Return a maker of a batch of three predictions that uses every column; arguments replace fields."""

    def make(**fields: object) -> PredictionColumns:
        values = np.array([[1.5, np.nan, np.nan], [0.0, -np.inf, 3.0]], np.float32)
        whole: dict[str, Any] = {
            "deployment": "arrivals",
            "model_version": "2013-03",
            "slot": "champion",
            "rows": 3,
            "identity": Identity("host-1", 1_364_774_400_000_000, 7),
            "ids": np.arange(48, dtype=np.uint8).reshape(3, 16),
            "original_ids": ["UA-1545", None, "AA-1141"],
            "times_ms": np.array([APRIL_MS + 5, APRIL_MS, APRIL_MS + 9], np.int64),
            "features": [
                NumericBlock(("temp", "wind"), values),
                NumericBlock(("flight",), np.array([[2.0**53, 1.0, -1.0]])),
            ],
            "categories": [Category("carrier", ("AA", "UA"), np.array([1, -1, 0], np.int32))],
            "gaps": [
                Gap("temp", np.array([False, True, False]), np.array([False, False, True])),
                Gap("carrier", None, np.array([False, True, False])),
            ],
            "scores": [NumericBlock(("late",), np.array([[0.25, 0.5, np.nan]]))],
            "predicted": Category("predicted", ("late", "on time"), np.array([1, 0, -1], np.int32)),
            "segments": [Category("origin", ("EWR", "JFK"), np.array([0, 1, 0], np.int32))],
            "latency_ms": np.array([0.5, np.nan, 12.0], np.float32),
            "status": Category("status", ("ok",), np.array([0, 0, -1], np.int32)),
        }
        return PredictionColumns(**(whole | fields))

    return make


@pytest.fixture
def labels() -> Callable[..., LabelColumns]:
    """Return a maker of a batch of three labels, one of each kind; arguments replace fields."""

    def make(**fields: object) -> LabelColumns:
        whole: dict[str, Any] = {
            "deployment": "arrivals",
            "rows": 3,
            "identity": Identity("host-1", 1_364_774_400_000_000, 0),
            "ids": np.arange(48, dtype=np.uint8).reshape(3, 16),
            "original_ids": None,
            "known_at_ms": np.array([APRIL_MS, APRIL_MS + 1, APRIL_MS + 2], np.int64),
            "numbers": np.array([14.0, np.nan, np.nan]),
            "classes": Category("classes", ("late",), np.array([-1, 0, -1], np.int32)),
            "withdrawn": np.array([False, False, True]),
        }
        return LabelColumns(**(whole | fields))

    return make
