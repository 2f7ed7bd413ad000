"""Alerts on the real Kafka and ClickHouse: windows in, edges out, receivers told; over kills and dead receivers."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from archiving import send
from bad_windows import OneBook, window
from click.testing import CliRunner
from emit_rig import Topics, wait_for
from real_stack import TestStack
from receiver import Receiver, receiving
from rig import Crew

from driftline.deploy.cli.alerts import command
from driftline.schemas.alert import Alert
from driftline.schemas.deployment import Contact
from driftline.schemas.settings import Settings
from driftline.streams.clickhouse import reads
from driftline.streams.clickhouse.alert_reads import AlertFilter, alerts

SECRET = "sixteen letters or more"  # noqa: S105 - of this test alone


@pytest.fixture
def hook() -> Iterator[Receiver]:
    """A receiver of webhooks."""
    with receiving() as held:
        yield held


@pytest.fixture
def routed(lane: Settings, hook: Receiver, tmp_path: Path) -> Settings:
    """Settings of a lane with a route to the receiver, and to one that nobody listens at."""
    (tmp_path / "secret").write_text(SECRET)
    file = tmp_path / "routes.toml"
    file.write_text(
        f'[on-call]\nwebhook = "{hook.url}"\nsecret_file = "{tmp_path / "secret"}"\n'
        '[dead]\nwebhook = "http://127.0.0.1:1/"\neverything = true\n'
    )
    worker = msgspec.structs.replace(lane.worker, checkpoint_seconds=1.0)
    return msgspec.structs.replace(
        lane, worker=worker, alerts=msgspec.structs.replace(lane.alerts, routes=str(file))
    )


@pytest.fixture
def crew(stack: TestStack, routed: Settings, tmp_path: Path) -> Iterator[Crew]:
    """Workers of the lane."""
    team = Crew(stack.env_of(routed), tmp_path)
    yield team
    team.dismiss()


def settle_people(settings: Settings, *deployments: str) -> None:
    """Publish who hears of deployments."""
    book = OneBook(owner="Ana", team="shop", runbook="https://wiki.example.org/shop", importance="high",
                   contacts=(Contact(route="on-call"),))  # fmt: skip
    for name in deployments:
        send(settings, "deployment-state", (name.encode(), book.latest(name).to_bytes()))


def send_days(
    settings: Settings,
    days: range,
    verdict: str,
    deployment: str = "shop",
    features: tuple[str, ...] = ("x",),
) -> None:
    """Send final windows of some days, each with one verdict of every feature."""
    records = [
        window(
            day,
            day,
            dict.fromkeys(features, verdict),
            deployment=deployment,
            computed_at_ms=time.time_ns() // 1_000_000,
        ).to_bytes()
        for day in days
    ]
    send(settings, "windows", *((deployment.encode(), record) for record in records))


def published(settings: Settings) -> list[Alert]:
    """Every record on the topic `alerts`."""
    return [Alert.from_bytes(one.value) for one in Topics(settings, {}).messages("alerts")]


def test_bad_windows_reach_the_receiver_and_clickhouse(routed: Settings, crew: Crew, hook: Receiver) -> None:
    """Two bad days fire, three good ones resolve: signed webhooks, rows, and the command line say the same."""
    settle_people(routed, "shop")
    crew.keep("alerts", 1)
    crew.keep("archive", 1)
    send_days(routed, range(2), "fail")
    wait_for(lambda: len(hook.taken) == 1, "the alert fires")
    headers, content = hook.taken[0]
    time_s, found = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", headers["Driftline-Signature"]).groups()
    wanted = hmac.new(SECRET.encode(), f"{time_s}.".encode() + content, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(found, wanted)
    fired = json.loads(content)
    assert headers["Idempotency-Key"] == fired["id"]
    assert (fired["state"], fired["about"], fired["name"], fired["severity"]) == (
        "firing",
        "drift",
        "x",
        "fail",
    )
    assert (fired["owner"], fired["priority"], fired["figures"][0]["metric"]) == ("Ana", 2, "psi")

    reads.wait_until(
        lambda: len(alerts(routed, AlertFilter(is_open=True), 10)) == 1, seconds=60, what="an open alert"
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in crew.environment.items():
            patch.setenv(name, value)
        run = CliRunner()
        assert "FAIL     shop drift x champion  P2" in run.invoke(command, ["shop", "--open"]).output
        said = run.invoke(command, ["ack", fired["alert_id"][:6], "--comment", "looking"])
        assert said.exit_code == 0, said
        reads.wait_until(
            lambda: alerts(routed, AlertFilter(), 10)[0]["comment"] == "looking", seconds=60, what="the ack"
        )
        assert "looking" in run.invoke(command, ["--json"]).output
    send_days(routed, range(2, 5), "ok")
    wait_for(lambda: len(hook.taken) == 2, "the alert is resolved")
    assert hook.bodies[1]["state"] == "resolved"
    reads.wait_until(
        lambda: alerts(routed, AlertFilter(), 10)[0]["state"] == "resolved",
        seconds=60,
        what="a resolved alert",
    )
    assert not alerts(routed, AlertFilter(is_open=True), 10)


def test_a_receiver_that_was_away_gets_each_edge_once(routed: Settings, crew: Crew, hook: Receiver) -> None:
    """While a receiver fails, edges wait on the topic; back again it gets each, in order, and none twice."""
    settle_people(routed, "shop")
    crew.keep("alerts", 1)
    hook.status = 503
    send_days(routed, range(2), "warn")
    wait_for(lambda: hook.refused >= 3, "the receiver is tried again and again")
    send_days(routed, range(2, 4), "fail")
    send_days(routed, range(4, 7), "ok")
    wait_for(lambda: len(published(routed)) == 3, "edges go on to be made")
    assert not hook.taken
    hook.status = 200
    wait_for(lambda: len(hook.taken) >= 3, "the receiver hears of every edge")
    keys = [headers["Idempotency-Key"] for headers, _ in hook.taken]
    assert keys == [one.id for one in published(routed)]
    assert [body["state"] for body in hook.bodies] == ["firing", "firing", "resolved"]


def test_kills_lose_no_edge_and_make_no_new_one(routed: Settings, crew: Crew, hook: Receiver) -> None:
    """Kill -9 at any time: every edge is published and told at least once, always with the same id and content."""
    names = tuple(f"shop-{number}" for number in range(6))
    features = tuple(f"f{number}" for number in range(20))
    settle_people(routed, *names)
    crew.keep("alerts", 1)
    for step, verdict in enumerate(("fail", "ok", "fail", "ok")):
        for name in names:
            send_days(routed, range(3 * step, 3 * step + 3), verdict, name, features)
        wait_for(lambda wanted=100 * step: len(published(routed)) > wanted, "edges are made")
        crew.kill(crew.alive("alerts")[0])
        crew.keep("alerts", 1)
    count = len(names) * len(features) * 4

    def told() -> dict[str, bytes]:
        return {headers["Idempotency-Key"]: content for headers, content in hook.taken}

    wait_for(lambda: len(told()) >= count, f"{count} edges are told")
    by_id: dict[str, Alert] = {}
    for one in published(routed):
        assert by_id.setdefault(one.id, one) == one
    assert set(by_id) == set(told())
    assert len(by_id) == count
    assert all(
        len({bytes(c) for h, c in hook.taken if h["Idempotency-Key"] == key}) == 1
        for key in list(told())[:20]
    )
