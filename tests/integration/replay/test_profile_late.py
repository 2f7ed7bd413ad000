"""A profile published after its events, on the real Kafka and ClickHouse."""

from __future__ import annotations

import time

import msgspec
import numpy as np
from replaying import DAY_MS, Traffic, reference, rows_of
from rig import Crew, settle

from driftline.deploy.tables.shelf import publish
from driftline.schemas.settings import Settings

DAYS = 8
ROWS = 2_000


def test_windows_of_a_silent_deployment_are_held_against_a_profile_that_comes_late(
    lane: Settings, crew: Crew
) -> None:
    """Every closed day, hot ones too, and none loses a row."""
    worker = msgspec.structs.replace(
        lane.worker, publish_seconds=1.0, checkpoint_seconds=1.0, idle_seconds=2.0
    )
    tuned = msgspec.structs.replace(lane, worker=worker)
    for role in ("drift", "archive"):
        crew.keep(role, 1)
    start_ms = (round(time.time() * 1000) // DAY_MS - DAYS - 1) * DAY_MS
    traffic = Traffic(tuned, start_ms, DAYS, ROWS)
    traffic.send(np.ones(ROWS, bool))
    traffic.close()
    counts = np.bincount((traffic.at - start_ms) // DAY_MS, minlength=DAYS)
    wanted = {start_ms + day * DAY_MS: int(rows) for day, rows in enumerate(counts)}

    def wrong(*, with_profile: bool) -> list[str]:
        days = rows_of(tuned, "live", "drift")
        found = {
            at: int(one["rows"])
            for at, one in days.items()
            if one["final"] and (one["profile_digest"] != "") is with_profile
        }
        return [
            f"day {at}: {found.get(at)} rows of {rows}"
            for at, rows in wanted.items()
            if found.get(at) != rows
        ]

    assert settle(lambda: wrong(with_profile=False), 180) == [], crew.tails()
    publish(tuned, reference(1, resolutions=("1h", "1d")))
    assert settle(lambda: wrong(with_profile=True), 180) == [], crew.tails()
