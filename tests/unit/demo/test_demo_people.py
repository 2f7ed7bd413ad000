"""Who hears of the flights: routes that the alerts worker reads, settings that hold together, an Alertmanager alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.deploy.demo import people as module
from driftline.deploy.demo.alertmanager import Alertmanager, settings
from driftline.deploy.demo.people import ROUTE, people, wishes
from driftline.schemas.deployment_rules import contradiction
from driftline.schemas.routes import read_routes


def test_the_routes_are_those_that_the_contacts_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of routes is one that the worker reads: a signed webhook on loopback, under the name in the settings."""
    monkeypatch.setattr(module, "installed", lambda: None)
    said: list[str] = []
    with people(tmp_path, said.append) as found:
        routes = read_routes(Path(found.alerts.routes), {})
        assert not found.has_alertmanager
    assert [contact.route for contact in wishes("flights", {}).contacts] == list(routes) == [ROUTE]
    route = routes[ROUTE]
    assert route.url.startswith("http://127.0.0.1:")
    assert len(route.secret) == 64
    assert (tmp_path / "receiver.secret").stat().st_mode & 0o077 == 0
    assert "prometheus-alertmanager" in said[0]


def test_the_settings_hold_together() -> None:
    """They have an owner, a runbook and the importance of features, and contradict nothing."""
    found = wishes("flights", {"hour": 0.02, "precip": 0.0})
    assert contradiction(found) is None
    assert found.owner
    assert found.runbook
    assert found.feature_importance == {"hour": 0.02, "precip": 0.0}


def test_alertmanager_is_alone_and_tells_our_receiver(tmp_path: Path) -> None:
    """One receiver, the hook; it says when an alert is resolved, and where it answers is loopback."""
    found = settings("http://127.0.0.1:9/alertmanager")
    assert found["receivers"] == [
        {
            "name": "demo",
            "webhook_configs": [{"url": "http://127.0.0.1:9/alertmanager", "send_resolved": True}],
        }
    ]
    part = Alertmanager("/bin/false", tmp_path, 9, "http://127.0.0.1:9/", tmp_path / "log")
    assert part.address == "http://127.0.0.1:9"
    assert not part.is_ready()
