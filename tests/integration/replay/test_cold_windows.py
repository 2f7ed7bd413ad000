"""Cold windows on the real Kafka and ClickHouse: what comes weeks late gets into the figures of its day, exactly."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
from real_stack import TestStack
from replaying import DAY_MS, Traffic, command, counters, outcomes, reference, rows_of
from rig import Crew, settle

from driftline.deploy.tables.shelf import publish
from driftline.schemas.settings import Settings
from driftline.streams.windows.layout import Layout

DAYS = 60
ROWS = 9_000
WIDTHS = ("1h", "1d")
HOURS = (2, 9, 20)
"""Hours of a day that have traffic: windows are what a worker's time goes into, not rows."""


@pytest.fixture
def tuned(lane: Settings) -> Settings:
    """A lane that publishes every second and closes a silent stream soon."""
    worker = msgspec.structs.replace(
        lane.worker, publish_seconds=1.0, checkpoint_seconds=1.0, idle_seconds=2.0
    )
    return msgspec.structs.replace(lane, worker=worker)


def wrong_days(settings: Settings, traffic: Traffic, wanted: np.ndarray) -> list[str]:
    """Days whose labels are not those of the facts; bool (rows,) which predictions are there and have a label."""
    counts = np.bincount((traffic.at - traffic.start_ms)[wanted] // DAY_MS, minlength=DAYS)
    found = outcomes(settings, "live")
    days = {day: found.get(("1d", traffic.start_ms + day * DAY_MS)) for day in range(DAYS)}
    return [
        f"day {day}: {one and one.labels} labels of {counts[day]}"
        for day, one in days.items()
        if one is None or one.labels != counts[day]
    ]


def differences(settings: Settings, layout: Layout, windows: dict[str, int]) -> list[str]:
    """Windows of the live run whose counts are not those of the replay `all`."""
    live = {"drift": counters(settings, layout, "live"), "accuracy": outcomes(settings, "live")}
    replayed = {"drift": counters(settings, layout, "all"), "accuracy": outcomes(settings, "all")}
    if {role: len(found) for role, found in replayed.items()} != windows:
        return ["the replay is not archived yet"]
    return [
        f"{role} {place}"
        for role in windows
        for place in live[role].keys() | replayed[role].keys()
        if live[role].get(place) != replayed[role].get(place)
    ]


def test_labels_and_predictions_that_come_weeks_late_are_counted(
    stack: TestStack, tuned: Settings, crew: Crew, tmp_path: Path
) -> None:
    """Late, corrected, withdrawn labels, late predictions, kills, ClickHouse away: live windows == a replay of all."""
    profile = reference(1, resolutions=WIDTHS)
    layout = Layout(profile)
    publish(tuned, profile)
    for role in ("drift", "accuracy", "archive"):
        crew.keep(role, 1)
    start_ms = (round(time.time() * 1000) // DAY_MS - DAYS - 1) * DAY_MS
    traffic = Traffic(tuned, start_ms, DAYS, ROWS, hours=HOURS)
    late, told = np.zeros(ROWS, bool), np.zeros(ROWS, bool)
    late[::40] = told[::3] = True
    traffic.send(~late)
    traffic.emitter.flush(180)
    traffic.label(slice(0, ROWS, 3))
    traffic.emitter.flush(180)
    assert settle(lambda: wrong_days(tuned, traffic, told & ~late), 180) == [], crew.tails()
    stack.clickhouse.pause()
    traffic.send(late)
    traffic.label(slice(0, ROWS, 120), after_ms=2_000, value=1)
    for row in range(0, ROWS, 240):
        traffic.emitter.label(traffic.ids[row], withdrawn=True, known_at=int(traffic.at[row]) + 3_000)
        told[row] = False
    traffic.close()
    for role in ("accuracy", "drift"):
        crew.kill(crew.alive(role)[0])
        crew.keep(role, 1)
    time.sleep(8)  # the workers meet an archive that does not answer; what they do then is what is tested
    stack.clickhouse.resume()
    assert settle(lambda: wrong_days(tuned, traffic, told), 180) == [], crew.tails()
    env, span = stack.env_of(tuned), (utc(start_ms - 31 * DAY_MS), utc(start_ms + 120 * DAY_MS))
    done = command(env, tmp_path, "replay", "churn", "--since", span[0], "--until", span[1], "--name", "all")
    assert done["predictions"] == ROWS
    assert settle(lambda: differences(tuned, layout, done["windows"]), 180) == [], crew.tails()
    touched = {int(at) // DAY_MS * DAY_MS for at in traffic.at[late] if at < start_ms + (DAYS - 5) * DAY_MS}
    for role in ("drift", "accuracy"):
        # The counts agree already; that no late row waits is told by the restatement of its day, which may come last.
        assert settle(lambda role=role: unrestated(tuned, role, touched), 180) == [], crew.tails()


def unrestated(tuned: Settings, role: str, touched: set[int]) -> list[str]:
    """Say which days were not counted again with all their late rows, or are not final."""
    days = rows_of(tuned, "live", role)
    return [
        f"{role} {start}: {days[start]}"
        for start in sorted(touched)
        if not days[start]["restated"] or not days[start]["final"] or days[start]["late_rows"]
    ]


def utc(time_ms: int) -> str:
    """Write a time as the command takes it."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%dT%H:%M:%S}"
