"""What events cost, as `make bench ONLY=cost` and other benchmarks measured it: the figures of docs/benchmarks.md.

Change a figure here and there together: a test holds them equal. They are of two virtual cores of 2026 that did other
work too; on another machine run the benchmark and scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Final

COSTS: Final[Mapping[str, Mapping[int, float]]] = {
    "kafka, processor": {5: 5.35, 25: 6.31, 100: 10.4},
    "clickhouse, processor": {5: 5.5, 25: 8.19, 100: 13.2},
    "drift, processor": {5: 1.67, 25: 3.21, 100: 6.29},
    "accuracy, processor": {5: 3.95, 25: 4.96, 100: 3.83},
    "archive, processor": {5: 1.9, 25: 3.04, 100: 5.21},
    "drift, memory": {5: 137.0, 25: 136.0, 100: 148.0},
    "accuracy, memory": {5: 278.0, 25: 296.0, 100: 199.0},
    "archive, memory": {5: 246.0, 25: 339.0, 100: 329.0},
    "a prediction in Kafka": {5: 40.4, 25: 113.0, 100: 376.0},
    "a label in Kafka": {5: 19.1, 25: 19.3, 100: 20.1},
    "a published window in Kafka": {5: 11572.0, 25: 36525.0, 100: 172073.0},
    "a prediction in ClickHouse": {5: 39.2, 25: 112.0, 100: 384.0},
    "its place in the look-up": {5: 26.9, 25: 27.3, 100: 27.0},
    "a label in ClickHouse": {5: 25.6, 25: 26.0, 100: 25.0},
    "a window in ClickHouse": {5: 5809.0, 25: 14833.0, 100: 42137.0},
}
"""The row `cost: N features, NAME` -> N -> its value: CPU seconds a million events, MB, or bytes."""

DRIFT_MB: Final = 379.0
"""The row `memory: drift worker, 200 deployments x 25 features, live`."""
DRIFT_DEPLOYMENTS: Final = 200
DRIFT_FEATURES: Final = 25
HELD_BYTES: Final = 26.0
"""The row `join: a prediction held`."""
LATE_LABEL_S: Final = 65.6
"""The row `restate: a million late labels over 30 days`."""

FLEET: Final = 300
"""Deployments that one worker was measured with: the rows `fleet: N deployments`."""


def at(name: str, features: int) -> float:
    """Give a cost for a number of features, on the line through the two measured ones beside it.

    More features never cost less: where that was measured it is noise, and the greater figure holds.

    >>> at("a prediction in Kafka", 25) == COSTS["a prediction in Kafka"][25]
    True
    """
    known = sorted(COSTS[name])
    values = list(accumulate((COSTS[name][each] for each in known), max))
    above = next((place for place, each in enumerate(known) if features <= each), len(known) - 1)
    high = max(1, above)
    slope = (values[high] - values[high - 1]) / (known[high] - known[high - 1])
    return max(0.0, values[high] + slope * (features - known[high]))


def drift_memory_mb(features: int, deployments: float) -> float:
    """Give the memory of a drift worker: that of four deployments, and of each further one by its features."""
    few = COSTS["drift, memory"][DRIFT_FEATURES]
    each = max(0.0, DRIFT_MB - few) / (DRIFT_DEPLOYMENTS * DRIFT_FEATURES)
    return few + each * features * deployments
