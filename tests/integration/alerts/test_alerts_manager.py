"""The real Alertmanager: what fires reaches a receiver through it, stays for as long as it fires, and is resolved."""

from __future__ import annotations

from pathlib import Path

import pytest
from alerting import routed_by, send_days, send_people, watching
from alertmanager import PROGRAM, alertmanager, free_port, held
from archiving import send
from bad_windows import window
from emit_rig import wait_for
from receiver import Receiver, receiving

from driftline.agents.emit import Emitter
from driftline.schemas.settings import Settings

pytestmark = pytest.mark.needs(PROGRAM)


def heard(hook: Receiver) -> list[tuple[str, str, str]]:
    """What the receiver heard: state, deployment, severity of each alert."""
    return [
        (one["status"], one["labels"]["deployment"], one["labels"]["severity"])
        for body in hook.bodies
        for one in body["alerts"]
    ]


def test_an_alert_fires_and_is_resolved_through_alertmanager(lane: Settings, tmp_path: Path) -> None:
    """It is there within a second of its edge, is said again past its first end, and ends with its own."""
    port = free_port()
    with receiving() as hook, alertmanager(tmp_path, hook.url, port) as address:
        routed = routed_by(
            lane, tmp_path / "routes.toml", f'[am]\nalertmanager = "{address}"\neverything = true\n'
        )
        send_people(routed, "shop")
        with watching(routed):
            send_days(routed, range(2), "fail")
            wait_for(lambda: heard(hook) == [("firing", "shop", "critical")], "the alert fires")
            first = held(port)[0]
            assert first["labels"]["owner"] == "Ana"
            wait_for(lambda: held(port)[0]["updatedAt"] > first["endsAt"], "it is said past its first end")
            assert held(port)[0]["startsAt"] == first["startsAt"]
            send_days(routed, range(2, 5), "ok")
            wait_for(lambda: len(heard(hook)) == 2, "the alert is resolved")
        assert heard(hook)[1] == ("resolved", "shop", "critical")


def test_an_alertmanager_that_was_away_hears_what_fires(lane: Settings, tmp_path: Path) -> None:
    """It begins after the edge was made, and then loses its memory: each time it is told again."""
    port = free_port()
    text = f'[am]\nalertmanager = "http://127.0.0.1:{port}"\neverything = true\n'
    routed = routed_by(lane, tmp_path / "routes.toml", text)
    send_people(routed, "shop")
    with receiving() as hook, watching(routed) as metrics:
        send_days(routed, range(2), "warn")
        wait_for(
            lambda: (metrics.get_sample_value("driftline_alerts_failed_total", {"route": "am"}) or 0) >= 2,
            "Alertmanager is missed",
        )
        for _ in range(2):
            with alertmanager(tmp_path, hook.url, port):
                wait_for(lambda: len(held(port)) == 1, "it is told what fires")
        wait_for(lambda: ("firing", "shop", "warning") in heard(hook), "the receiver hears of it")


def test_a_worker_that_begins_again_says_what_fires(lane: Settings, tmp_path: Path) -> None:
    """What fired before is read from the topic, and does not end because the worker was away for a moment."""
    port = free_port()
    with receiving() as hook, alertmanager(tmp_path, hook.url, port) as address:
        routed = routed_by(
            lane, tmp_path / "routes.toml", f'[am]\nalertmanager = "{address}"\neverything = true\n'
        )
        send_people(routed, "shop")
        with watching(routed):
            send_days(routed, range(2), "fail")
            wait_for(lambda: len(held(port)) == 1, "the alert fires")
        before = held(port)[0]
        with watching(routed):
            wait_for(lambda: held(port)[0]["updatedAt"] > before["updatedAt"], "it is said again")
            assert held(port)[0]["fingerprint"] == before["fingerprint"]
            send_days(routed, range(2, 5), "ok")
            wait_for(lambda: heard(hook)[-1][0] == "resolved", "the alert is resolved")


@pytest.mark.parametrize("route", ["on-call", "other"])
def test_only_the_routes_of_the_contacts_hear(lane: Settings, tmp_path: Path, route: str) -> None:
    """A route that no contact names hears nothing; edges for a name that no route has are counted."""
    with receiving() as hook:
        routed = routed_by(lane, tmp_path / "routes.toml", f'[{route}]\nwebhook = "{hook.url}"\n')
        send_people(routed, "shop")
        with watching(routed) as metrics:
            send_days(routed, range(2), "fail")
            wait_for(
                lambda: metrics.get_sample_value("driftline_alerts_edges_total", {"state": "firing"}) == 1,
                "the alert fires",
            )
            if route == "on-call":
                wait_for(lambda: len(hook.taken) == 1, "the route hears")
            unrouted = metrics.get_sample_value("driftline_alerts_unrouted_total")
        assert (unrouted, len(hook.taken)) == ((0, 1) if route == "on-call" else (1, 0))


def test_rows_that_an_emitter_loses_and_silence_are_told(lane: Settings, tmp_path: Path) -> None:
    """A heartbeat that says what was dropped fires; so does a declared deployment that nothing is heard of."""
    with receiving() as hook:
        routed = routed_by(lane, tmp_path / "routes.toml", f'[on-call]\nwebhook = "{hook.url}"\n')
        send_people(routed, "shop", "quiet")
        old = window(0, 0, {"x": "ok"}, deployment="quiet", computed_at_ms=1)
        send(routed, "windows", (b"quiet", old.to_bytes()))
        with Emitter("shop", "3", settings=routed) as emitter:
            emitter.log({"x": 1.0}, {"score": 0.5})
            emitter.log({}, {"score": 0.5})
            emitter.flush(180)
        with watching(routed):
            wait_for(lambda: len(hook.taken) == 2, "both are told")
        found = {body["deployment"]: (body["about"], body["severity"], body["rule"]) for body in hook.bodies}
    assert found == {"shop": ("loss", "warn", "ledger"), "quiet": ("freshness", "fail", "silence")}
