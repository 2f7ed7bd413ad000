"""Tables through the whole path without a broker: a profile built of one, another counted by the join's shard."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet as pq

from driftline.deploy.tables.build import build_from_table
from driftline.deploy.tables.plan import plan_table
from driftline.deploy.tables.rows import labelled_rows
from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.profile import Profile
from driftline.schemas.window import WindowResult
from driftline.streams.join.reference_truth import place_ids
from driftline.streams.join.scheme_of import scheme_of
from driftline.streams.join.shard import Shard
from driftline.streams.join.terms import Terms
from driftline.streams.join.yardstick import yardstick_of
from driftline.streams.windows.rules import Rules

DAY_MS = 86_400_000
MONTH_MS = 1_748_736_000_000
"""June 2025, whose days hold the tables."""
DAYS = 29
REGIONS = ("north", "south", "west")


def times(rows: int) -> NDArray[np.int64]:
    """Event times spread over the month."""
    return MONTH_MS + np.arange(rows, dtype=np.int64) * (DAYS * DAY_MS) // rows


def written(file: Path, **columns: object) -> Path:
    """Write a table with a time a row over the month; columns by name."""
    rows = len(next(iter(columns.values())))  # type: ignore[arg-type]
    pq.write_table(pa.table({"seen": pa.array(times(rows), pa.timestamp("ms", "UTC")), **columns}), file)
    return file


def built(
    file: Path, mapping: Path | None = None, provenance: str | None = "held-out", version: str = "1"
) -> Profile:
    """Build the profile of a table as `profile build` does."""
    planned = plan_table(file, mapping)
    return build_from_table(planned, "shop", version, provenance=provenance, resolutions=("1d",)).profile


@dataclass
class Book:
    """One profile, and the settings of its deployment."""

    profile: Profile
    settings: DeploymentSettings

    def __post_init__(self) -> None:
        """Work the terms out once."""
        digest = self.profile.digest()
        scheme = scheme_of(self.profile, digest, self.settings)
        yardstick = yardstick_of(self.profile, scheme_of(self.profile, digest))
        self.held = Terms(self.settings, 1, scheme, yardstick)

    def terms(self, _deployment: str, _version: str, _at_ms: int) -> Terms:
        """What holds."""
        return self.held

    def resolutions(self, _deployment: str, _version: str) -> tuple[str, ...]:
        """Days."""
        return ("1d",)


def month_of(
    file: Path, profile: Profile, mapping: Path | None = None, **settings: object
) -> tuple[WindowResult, Book]:
    """Count a table as the accuracy worker does, labels first; gives the result of the closed month."""
    book = Book(profile, DeploymentSettings(deployment="shop", **settings))  # type: ignore[arg-type]
    shard = Shard(0, book, Rules(hot_windows=60, kept_days=90))
    planned = plan_table(file, mapping, profile)
    first = 0
    parts = list(labelled_rows(planned.source, planned.plan, "shop", "1"))
    for offset, (cols, truth) in enumerate(parts):
        if truth is not None:
            shard.take_labels(offset, replace(truth, known_at_ms=np.full(truth.rows, MONTH_MS)), 0)
        shard.take_predictions(2 * offset, replace(cols, ids=place_ids(first, cols.rows)), 0)
        first += cols.rows
    # One prediction of the month after next closes the month.
    last = replace(parts[-1][0], ids=place_ids(first, parts[-1][0].rows))
    last.times_ms = np.full(last.rows, MONTH_MS + 62 * DAY_MS)
    shard.take_predictions(2 * len(parts), last, 0)
    found = [one for one in shard.results(0) if one.resolution == "1M" and one.window_start_ms == MONTH_MS]
    assert [one.final for one in found] == [True]
    return found[0], book
