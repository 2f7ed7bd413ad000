"""Where Prometheus finds the workers of the local stack."""

from __future__ import annotations

import json
from pathlib import Path

from driftline.deploy.local.ports import FREE_PORTS
from driftline.deploy.local.targets import metrics_ports, serving_at, write_targets
from driftline.deploy.local.worker import ROLES
from driftline.schemas.settings import load


def test_workers_of_one_machine_have_a_port_each() -> None:
    """That of the settings and those after it; free ones where the settings name none."""
    assert metrics_ports(ROLES, 9100) == {role: 9100 + number for number, role in enumerate(ROLES)}
    free = metrics_ports(ROLES, 0)
    assert len(set(free.values())) == len(ROLES)
    assert all(port in FREE_PORTS for port in free.values())


def test_a_worker_is_told_its_port_and_prometheus_its_role(tmp_path: Path) -> None:
    """The file is what `file_sd_configs` read: one target a role, with the label that rules know it by."""
    assert serving_at(load({}, None), 9100).worker.metrics_port == 9100
    write_targets(tmp_path / "targets.json", "127.0.0.1", {"drift": 9100, "archive": 9101})
    assert json.loads((tmp_path / "targets.json").read_text()) == [
        {"targets": ["127.0.0.1:9100"], "labels": {"role": "drift"}},
        {"targets": ["127.0.0.1:9101"], "labels": {"role": "archive"}},
    ]
