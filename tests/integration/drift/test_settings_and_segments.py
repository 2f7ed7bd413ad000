"""The drift worker on a real Kafka: it heeds settings when they are applied, and finds drift in one segment value."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from archiving import send
from counting import profile_of
from rig import Crew
from segmented import rows
from shards import BASE_MS, HOUR_MS

from driftline.deploy.local import deployments
from driftline.deploy.local.compacted import records
from driftline.deploy.tables.shelf import publish
from driftline.schemas.columns import Identity, pack_predictions
from driftline.schemas.deployment import DeploymentSettings, Segment
from driftline.schemas.settings import Settings
from driftline.schemas.window import Figure, WindowResult
from driftline.streams.clickhouse import reads

ROWS = 4_000
WEEKS_MS = 28 * 24 * HOUR_MS


@pytest.fixture
def tuned(lane: Settings) -> Settings:
    """Settings of a lane that publishes often."""
    worker = msgspec.structs.replace(lane.worker, publish_seconds=0.5, checkpoint_seconds=0.5)
    return msgspec.structs.replace(lane, worker=worker)


class Stream:
    """One deployment's predictions, hour by hour, and what was published of them."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.hours = settings, 0

    def send(self, by: float = 0.0) -> None:
        """Send the next hour; UA's delay is moved by so much."""
        times = np.sort(
            BASE_MS + self.hours * HOUR_MS + np.random.default_rng(self.hours).integers(0, HOUR_MS, ROWS)
        )
        cols = rows(self.hours, ROWS, times, moved="UA", by=by)
        cols.identity = Identity("here", 1, self.hours)
        cols.ids[:, :8] = np.random.default_rng(self.hours).integers(0, 256, (ROWS, 8))
        send(self.settings, "predictions", (b"churn", pack_predictions(cols)))
        self.hours += 1

    def closed(self) -> dict[tuple[str, int], WindowResult]:
        """The newest result of each window that has closed, by width and hour."""
        found = {}
        for record in records(self.settings.kafka, "windows"):
            one = WindowResult.from_bytes(record.value() or b"")
            if one.final:
                found[one.resolution, (one.window_start_ms - BASE_MS) // HOUR_MS] = one
        return found

    def until(
        self, met: Callable[[dict[tuple[str, int], WindowResult]], bool], what: str, team: Crew
    ) -> None:
        """Wait for windows, and say what the worker said when they do not come."""
        try:
            reads.wait_until(lambda: met(self.closed()), seconds=90, what=what)
        except Exception as error:
            raise AssertionError(f"{error}\n{team.tails()}") from error


def test_settings_are_heeded_and_one_value_that_drifts_is_found(tuned: Settings, crew: Crew) -> None:
    """Widths, minimum, segments and baselines hold from their revision on, also for a worker killed in between."""
    times = np.sort(BASE_MS - WEEKS_MS + np.random.default_rng(9).integers(0, WEEKS_MS, 60_000))
    publish(tuned, profile_of(rows(99, 60_000, times), provenance="held-out", resolutions=("1d",)))
    first = DeploymentSettings(deployment="churn", resolutions=("1h",), segments={"carrier": Segment()})
    deployments.apply(tuned.kafka, first, changed_by="ana", now_ms=1)
    crew.start("drift")
    stream = Stream(tuned)
    for by in (0.0, 0.8, 0.0):
        stream.send(by)
    stream.until(lambda closed: ("1h", 1) in closed, "two hours by the first settings", crew)
    closed = stream.closed()
    assert {width for width, _ in closed} == {"1h"}
    assert {one.settings_revision for one in closed.values()} == {1}
    told = {(one.feature, one.segment): one for one in closed["1h", 1].figures if one.metric == "psi"}
    assert {one for one, figure in told.items() if figure.verdict in ("warn", "fail")} == {
        ("delay", "carrier=UA")
    }
    assert told["delay", "carrier=UA"].verdict == "warn"
    assert told["delay", ""].verdict == "ok"
    assert not any(segment.startswith("region") for _, segment in told)
    assert not [figure for figure in closed["1h", 0].figures if figure.segment and figure.verdict == "warn"]

    crew.kill(crew.alive("drift")[0])
    second = DeploymentSettings(
        deployment="churn", resolutions=("1h",), minimum_rows=100_000, baselines=("previous",)
    )
    after_ms = BASE_MS + 3 * HOUR_MS + 1
    deployments.apply(tuned.kafka, second, changed_by="ben", now_ms=2, since_ms=after_ms)
    crew.start("drift")
    stream.send()
    stream.send()
    stream.until(lambda closed: ("1h", 3) in closed, "an hour by the second settings", crew)
    third = msgspec.structs.replace(second, baselines=("previous", "same-hour-of-week"))
    deployments.apply(tuned.kafka, third, changed_by="ben", now_ms=3, since_ms=after_ms)

    def heeded(closed: dict[tuple[str, int], WindowResult]) -> bool:
        stream.send()
        last = [one for (width, _), one in closed.items() if width == "1h" and baseline(one, "psi_same_hour")]
        return any((baseline(one, "psi_same_hour") or Figure("", "", "")).value is not None for one in last)

    stream.until(heeded, "an hour that is held against its hours of the week", crew)
    closed = stream.closed()
    hours = {hour: one for (width, hour), one in closed.items() if width == "1h"}
    revisions = [hours[hour].settings_revision for hour in sorted(hours)]
    assert revisions[:4] == [1, 1, 1, 2]
    assert revisions == sorted(revisions)
    assert revisions[-1] == 3
    newest = hours[max(hours)]
    assert {one.verdict for one in newest.figures if one.kind == "drift" and one.verdict} == {"inconclusive"}
    previous = baseline(newest, "psi_previous")
    assert previous is not None
    assert previous.value is not None
    assert "a verdict needs 100000" in previous.reason
    assert sorted(hours) == list(range(max(hours) + 1))
    assert {one.rows for one in hours.values()} == {ROWS}


def baseline(result: WindowResult, metric: str) -> Figure | None:
    """Return the figure of delay."""
    return next((one for one in result.figures if (one.feature, one.metric) == ("delay", metric)), None)
