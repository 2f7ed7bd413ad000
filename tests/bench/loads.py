"""Loads: sealed batches of 25 features, and the profile they are measured against, for benchmarks that need many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.schemas.columns import Category, Identity, NumericBlock, PredictionColumns
from driftline.schemas.partition import partition_of
from driftline.streams.windows.profiling import build_profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.schemas.profile import Profile
    from driftline.schemas.settings import Settings

ROWS: Final = 500
NUMERIC: Final = tuple(f"n{at:02}" for at in range(20))
LEVELS: Final = tuple(f"level-{at}" for at in range(12))
CATEGORICAL: Final = tuple(f"c{at}" for at in range(5))
DAY_MS: Final = 86_400_000


def batch(draw: np.random.Generator, deployment: str, seq: int, times_ms: np.ndarray) -> PredictionColumns:
    """Make a sealed batch of 20 numeric and 5 categorical features and a score, one row a time."""
    rows = len(times_ms)
    return PredictionColumns(
        deployment=deployment,
        model_version="1",
        slot="champion",
        rows=rows,
        identity=Identity(f"bench-{deployment}", 1, seq),
        ids=draw.integers(0, 256, (rows, 16), dtype=np.uint8),
        original_ids=None,
        times_ms=times_ms,
        features=[
            NumericBlock(NUMERIC, np.round(draw.normal(size=(len(NUMERIC), rows)), 3).astype(np.float32))
        ],
        categories=[
            Category(name, LEVELS, draw.integers(0, len(LEVELS), rows).astype(np.int32))
            for name in CATEGORICAL
        ],
        gaps=[],
        scores=[NumericBlock(("score",), draw.random((1, rows), dtype=np.float32))],
    )


def profile(
    draw: np.random.Generator, deployment: str, *, end_ms: int, days: int, resolutions: Sequence[str]
) -> Profile:
    """Build a profile of 1,000 rows a day, from a reference that ends at a time."""
    reference = []
    for seq in range(2 * days):
        start = end_ms - days * DAY_MS + seq * DAY_MS // 2
        reference.append(batch(draw, deployment, seq, start + np.arange(ROWS, dtype=np.int64) * 80_000))
    return build_profile(
        reference, rng=draw, created_at_ms=0, provenance="held-out", resolutions=tuple(resolutions)
    )


def one_a_partition(settings: Settings, prefix: str) -> list[str]:
    """Name one deployment for each partition, so that several workers have the same to do."""
    names: dict[int, str] = {}
    number = 0
    while len(names) < settings.kafka.partitions:
        name = f"{prefix}-{number}"
        names.setdefault(partition_of(name.encode(), settings.kafka.partitions), name)
        number += 1
    return [names[partition] for partition in sorted(names)]
