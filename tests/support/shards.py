"""A shard without a broker: a source of profiles that knows none, and batches of given event times."""

from __future__ import annotations

import numpy as np

from driftline.schemas.columns import Identity, PredictionColumns
from driftline.schemas.deployment_state import DeploymentState, defaults
from driftline.schemas.profile import Profile
from driftline.streams.windows.held import PaneKey
from driftline.streams.windows.layout import Layout

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
BASE_MS = 1_700_000_000_000 // DAY_MS * DAY_MS


class RowsOnly:
    """A source of profiles that knows none: rows alone are counted."""

    def layout(self, deployment: str, version: str) -> Layout:
        """Count rows alone."""
        return Layout.without_profile(deployment, version)

    def layout_of(self, key: PaneKey, _digest: str) -> Layout:
        """Count rows alone."""
        return Layout.without_profile(key.deployment, key.version)

    def profile_of(self, _digest: str) -> Profile | None:
        """Know no profile."""
        return None

    def resolutions(self, _deployment: str, _version: str) -> tuple[str, ...]:
        """Fold hours and days."""
        return ("1h", "1d")

    def state(self, deployment: str, _at_ms: int) -> DeploymentState:
        """Judge by the defaults."""
        return defaults(deployment)


class Widths(RowsOnly):
    """Rows alone, by widths that may change."""

    def __init__(self, *widths: str) -> None:
        self.widths = widths

    def resolutions(self, _deployment: str, _version: str) -> tuple[str, ...]:
        """What is wanted now."""
        return self.widths


def batch(deployment: str, seq: int, times: list[int]) -> PredictionColumns:
    """Make a sealed batch whose rows have these event times."""
    rows = len(times)
    return PredictionColumns(
        deployment=deployment,
        model_version="1",
        slot="champion",
        rows=rows,
        identity=Identity("emitter", 1, seq),
        ids=np.zeros((rows, 16), np.uint8),
        original_ids=None,
        times_ms=np.array(times, np.int64),
        features=[],
        categories=[],
        gaps=[],
        scores=[],
        predicted=None,
        segments=[],
        latency_ms=None,
        status=None,
    )
