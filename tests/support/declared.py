"""A book of profiles and settings as a worker keeps it, told by the bytes that travel, and windows judged with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from driftline.schemas.columns import Identity, PredictionColumns
from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.deployment_state import DeploymentState
from driftline.schemas.profile import Profile
from driftline.schemas.window import WindowResult
from driftline.streams.processors.profile_book import ProfileBook
from driftline.streams.processors.settings_book import SettingsBook
from driftline.streams.windows.checkpoint import commit, plan
from driftline.streams.windows.rules import Rules
from driftline.streams.windows.shard import Shard

RULES = Rules(out_of_orderness_ms=0, hot_windows=3, publish_seconds=0.0)


def tell(declared: SettingsBook, revision: int, since_ms: int = 0, **wanted: Any) -> None:
    """Publish a revision of the settings of churn."""
    state = DeploymentState(
        deployment="churn",
        revision=revision,
        since_ms=since_ms,
        changed_by="ana",
        changed_at_ms=1,
        settings=DeploymentSettings(deployment="churn", **wanted),
    )
    declared.on_record(b"churn", state.to_bytes(), 0)


def book(*profiles: Profile, **wanted: Any) -> ProfileBook:
    """Return a book that knows the settings, if any are wanted, and then the profiles."""
    declared = SettingsBook()
    if wanted:
        tell(declared, 1, **wanted)
    made = ProfileBook(lambda: None, declared=declared)
    for profile in profiles:
        made.on_record(b"churn/1", profile.to_bytes(), 0)
    return made


def sealed(cols: PredictionColumns, seq: int) -> PredictionColumns:
    """Give a batch the seal of an emitter."""
    return replace(cols, identity=Identity("emitter", 1, seq))


def published(shard: Shard, *, taken: bool = True) -> list[WindowResult]:
    """Publish what is due as a checkpoint does, as it travels; without `taken` it is not acknowledged."""
    checkpoint = plan(shard, 0, 0.0)
    found = [WindowResult.from_bytes(one.to_bytes()) for one in checkpoint.results]
    if taken:
        commit(shard, checkpoint)
    return found


def windows(profiles: ProfileBook, *batches: PredictionColumns) -> list[WindowResult]:
    """Fold batches, a checkpoint after each, and give the results of windows that have closed."""
    shard = Shard.load(0, {}, profiles, RULES)
    found = []
    for offset, cols in enumerate(batches):
        shard.fold(offset, sealed(cols, offset), int(np.max(cols.times_ms)))
        found += published(shard)
    return [one for one in found if one.final]
