"""The real Prometheus and the real Alertmanager beside a real worker: who ends it is told of, and that it is back."""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from alertmanager import PROGRAM, alertmanager, free_port
from emit_rig import wait_for
from prometheus import prometheus
from real_stack import TestStack
from receiver import Receiver, receiving
from rig import Crew

from driftline.deploy.local.targets import write_targets
from driftline.deploy.rules.names import ARCHIVE, DISK, WORKER
from driftline.deploy.rules.routes import routes_file
from driftline.deploy.rules.rule import MINUTE
from driftline.deploy.rules.teams import Team, Teams
from driftline.deploy.rules.workers import MISSING
from driftline.schemas.settings import Settings

pytestmark = [pytest.mark.needs(PROGRAM), pytest.mark.needs("prometheus")]
ROLE = "archive"
MISSED = MISSING[0].name


def heard(hook: Receiver) -> list[tuple[str, str]]:
    """Alerts on the worker as they came: state, severity."""
    return [
        (one["status"], one["labels"]["severity"])
        for body in hook.bodies
        for one in body["alerts"]
        if (one["labels"]["alertname"], one["labels"].get("role")) == (MISSED, ROLE)
    ]


def asked(port: int, query: str) -> list[Any]:
    """What Prometheus says to a query."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", f"/api/v1/query?query={quote(query)}")
        found: list[Any] = json.loads(connection.getresponse().read())["data"]["result"]
        return found
    finally:
        connection.close()


@pytest.mark.parametrize(
    "most_hold_s",
    [1, pytest.param(None, marks=[pytest.mark.slow, pytest.mark.timeout(1_200)])],
    ids=["held shortly", "as written"],
)
def test_a_worker_that_is_killed_is_told_of_within_a_minute(
    stack: TestStack, lane: Settings, tmp_path: Path, most_hold_s: int | None
) -> None:
    """From its end: the time that the rule holds, and at most a minute; once it runs again the alert is resolved."""
    held_s = MISSING[0].hold_s if most_hold_s is None else most_hold_s
    worker, manager, watcher = free_port(), free_port(), free_port()
    crew = Crew({**stack.env_of(lane), "DRIFTLINE_WORKER_METRICS_PORT": str(worker)}, tmp_path)
    targets = tmp_path / "targets.json"
    write_targets(targets, "127.0.0.1", {ROLE: worker})
    with receiving() as hook:
        routes = routes_file(Teams(Team(page=hook.url, ticket=hook.url)))
        if most_hold_s is not None:
            routes = routes.replace('group_wait: "10s"', 'group_wait: "0s"').replace('"1m"', '"1s"')
        with (
            alertmanager(tmp_path, hook.url, manager, routes),
            prometheus(tmp_path, watcher, manager, targets, most_hold_s),
        ):
            try:
                process = crew.start(ROLE)
                told = " and on () ".join((ARCHIVE["lag"], WORKER["stored"], f"{DISK['free']} > 0"))
                wait_for(
                    lambda: bool(asked(watcher, told)),
                    "the worker tells of its lag, its state, and disks",
                    60,
                )
                assert heard(hook) == []
                crew.kill(process)
                killed_s = time.monotonic()
                wait_for(
                    lambda: heard(hook) == [("firing", "critical")], "it is told of", held_s + 2 * MINUTE
                )
                assert time.monotonic() - killed_s < held_s + MINUTE
                crew.start(ROLE)
                wait_for(lambda: heard(hook)[-1] == ("resolved", "critical"), "it is resolved", 8 * MINUTE)
            finally:
                crew.dismiss()
