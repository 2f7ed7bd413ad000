"""Alerts on the real Kafka and ClickHouse: windows in, edges out, receivers told; over kills and dead receivers."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from advised import labels
from alerting import published, routed_by, send_days, send_people
from archiving import send
from click.testing import CliRunner
from emit_rig import wait_for
from receiver import Receiver, receiving
from rig import Crew

from driftline.deploy.cli.alerts import command
from driftline.schemas.alert import Alert
from driftline.schemas.settings import Settings
from driftline.streams.clickhouse import reads
from driftline.streams.clickhouse.alert_reads import AlertFilter, alerts
from driftline.streams.clickhouse.client import Client

SECRET = "sixteen letters or more"  # noqa: S105 - of this test alone


@pytest.fixture
def hook() -> Iterator[Receiver]:
    """A receiver of webhooks."""
    with receiving() as held:
        yield held


@pytest.fixture
def tuned(lane: Settings, hook: Receiver, tmp_path: Path) -> Settings:
    """Settings of a lane with a route to the receiver, and one to a port that nobody listens at."""
    (tmp_path / "secret").write_text(SECRET)
    return routed_by(
        lane,
        tmp_path / "routes.toml",
        f'[on-call]\nwebhook = "{hook.url}"\nsecret_file = "{tmp_path / "secret"}"\n'
        '[dead]\nwebhook = "http://127.0.0.1:1/"\neverything = true\n',
    )


def open_alerts(settings: Settings) -> list[str]:
    """Names of the alerts that fire, as ClickHouse has them."""
    return [row["alert_id"] for row in alerts(settings, AlertFilter(is_open=True), 10)]


def test_bad_windows_reach_the_receiver(tuned: Settings, crew: Crew, hook: Receiver) -> None:
    """Two bad days fire: one webhook, signed, with the evidence and whom it concerns; three good ones resolve."""
    send_people(tuned, "shop")
    crew.keep("alerts", 1)
    send_days(tuned, range(2), "fail")
    wait_for(lambda: len(hook.taken) == 1, "the alert fires")
    headers, content = hook.taken[0]
    signed = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", headers["Driftline-Signature"])
    assert signed
    wanted = hmac.new(SECRET.encode(), f"{signed[1]}.".encode() + content, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(signed[2], wanted)
    fired = json.loads(content)
    assert headers["Idempotency-Key"] == fired["id"]
    found = [fired[name] for name in ("state", "about", "name", "severity", "owner", "priority")]
    assert found == ["firing", "drift", "x", "fail", "Ana", 2]
    assert (fired["figures"][0]["metric"], fired["figures"][0]["value"]) == ("psi", 0.3)
    send_days(tuned, range(2, 5), "ok")
    wait_for(lambda: len(hook.taken) == 2, "the alert is resolved")
    assert (hook.bodies[1]["state"], hook.bodies[1]["alert_id"]) == ("resolved", fired["alert_id"])


def test_the_command_shows_what_fires_and_who_knows_of_it(
    tuned: Settings, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`driftline alerts` and `ack` on ClickHouse: a new edge is one that nobody knows of; a wrong id is a sentence."""
    for name, value in crew.environment.items():
        monkeypatch.setenv(name, value)
    run = CliRunner()
    send_people(tuned, "shop")
    crew.keep("alerts", 1)
    crew.keep("archive", 1)
    send_days(tuned, range(2), "warn")
    reads.wait_until(lambda: len(open_alerts(tuned)) == 1, seconds=180, what="an open alert")
    (name,) = open_alerts(tuned)
    head, told = run.invoke(command, ["shop", "--open"]).output.splitlines()[:2]
    assert head == f"WARN     shop drift x  P3  {name}"
    assert told.startswith("  window 1970-01-02, told 20")
    assert told.endswith(" UTC, Ana (shop)")
    elsewhere = run.invoke(command, ["elsewhere"])
    assert str(elsewhere.exception).startswith("deployment 'elsewhere' is not known")
    said = run.invoke(
        command, ["ack", name[:6], "--comment", "looking"], env={"DRIFTLINE_OPERATOR_NAME": "Bo"}
    )
    assert said.output == "shop drift x: acknowledged by Bo\n"
    reads.wait_until(
        lambda: "acknowledged by Bo: looking" in run.invoke(command, []).output, seconds=180, what="the ack"
    )
    send_days(tuned, range(2, 4), "fail")
    reads.wait_until(lambda: "FAIL" in run.invoke(command, []).output, seconds=180, what="the harder edge")
    (row,) = [json.loads(line) for line in run.invoke(command, ["--json"]).output.splitlines()]
    assert (row["severity"], row["acknowledged_by"], row["acknowledged_at"]) == ("fail", "", None)
    assert (row["figures"][0]["floor"], row["routes"]) == (0.25, ["on-call"])
    wrong = run.invoke(command, ["ack", "zz"])
    assert str(wrong.exception) == "'zz' is no alert; 'driftline alerts --open' shows those that fire"


def test_advice_that_changes_is_told_and_stored(tuned: Settings, crew: Crew, hook: Receiver) -> None:
    """A month whose performance fell: one event, at the receiver as JSON and in ClickHouse; edges beside it."""
    send_people(tuned, "shop")
    crew.keep("alerts", 1)
    crew.keep("archive", 1)
    send(
        tuned, "windows", *((b"shop", labels(at, word).to_bytes()) for at, word in enumerate(("ok", "fail")))
    )
    wait_for(lambda: len(hook.taken) == 1, "the advice is told")
    headers, content = hook.taken[0]
    said = json.loads(content)
    assert (said["kind"], said["advice"], said["gains"], said["routes"]) == (
        "advice",
        "retrain",
        [],
        ["on-call"],
    )
    assert headers["Idempotency-Key"] == said["id"]
    send_days(tuned, range(2), "fail")
    reads.wait_until(lambda: len(open_alerts(tuned)) == 1, seconds=180, what="an open alert")
    with Client(tuned.clickhouse) as client:
        (row,) = client.query("SELECT id, advice, reasons.code AS codes, record FROM advice FINAL")
        assert client.query("SELECT * FROM dead_letters") == []
    assert (row["id"], row["advice"]) == (said["id"], "retrain")
    assert list(row["codes"]) == ["performance fell", "gain: unknown"]
    assert {"kind": "advice", **json.loads(row["record"])} == said


def test_a_receiver_that_was_away_gets_each_edge_once(tuned: Settings, crew: Crew, hook: Receiver) -> None:
    """While a receiver fails, edges wait on the topic; back again it gets each, in order, and none twice."""
    send_people(tuned, "shop")
    crew.keep("alerts", 1)
    hook.status = 503
    send_days(tuned, range(2), "warn")
    wait_for(lambda: hook.refused >= 3, "the receiver is tried again and again")
    send_days(tuned, range(2, 4), "fail")
    send_days(tuned, range(4, 7), "ok")
    wait_for(lambda: len(published(tuned)) == 3, "edges go on to be made")
    assert not hook.taken
    hook.status = 200
    wait_for(lambda: len(hook.taken) >= 3, "the receiver hears of every edge")
    keys = [headers["Idempotency-Key"] for headers, _ in hook.taken]
    assert keys == [one.id for one in published(tuned)]
    assert [body["state"] for body in hook.bodies] == ["firing", "firing", "resolved"]


def test_kills_lose_no_edge_and_make_no_new_one(tuned: Settings, crew: Crew, hook: Receiver) -> None:
    """Kill -9 at any time: every edge is published and told at least once, always with the same id and content."""
    names = tuple(f"shop-{number}" for number in range(6))
    features = tuple(f"f{number}" for number in range(20))
    send_people(tuned, *names)
    crew.keep("alerts", 1)
    for step, verdict in enumerate(("fail", "ok", "fail", "ok")):
        for name in names:
            send_days(tuned, range(3 * step, 3 * step + 3), verdict, name, features)
        wait_for(lambda past=100 * step: len(published(tuned)) > past, "edges are made")
        crew.kill(crew.alive("alerts")[0])
        # The second time two workers share the partitions, and one of them is killed.
        crew.keep("alerts", 2 if step == 1 else 1)
    count = len(names) * len(features) * 4
    wait_for(lambda: len({headers["Idempotency-Key"] for headers, _ in hook.taken}) >= count, "all are told")
    told: dict[str, bytes] = {}
    for headers, content in hook.taken:
        assert told.setdefault(headers["Idempotency-Key"], content) == content
    made: dict[str, Alert] = {}
    for one in published(tuned):
        assert made.setdefault(one.id, one) == one
    assert set(made) == set(told)
    assert len(made) == count
