"""Every alert fires when it should and keeps still when it should not, as Prometheus's own promtool sees it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from programs import needed

from driftline.deploy.rules.groups import groups
from driftline.deploy.rules.names import known

CASES = Path(__file__).parent / "cases"
ALERTS = {alert.name for group in groups() for alert in group.alerts}
# What Prometheus itself adds to every series, and what the scrape configuration says of a target.
TARGET = {"job", "instance", "role"}
OF_EVERY_PROCESS = {"up": TARGET, "process_start_time_seconds": TARGET}


def test_every_alert_has_a_file_of_cases() -> None:
    """One a name, none left over; each says at least once that it fires and once that it does not."""
    files = {path.stem: path.read_text(encoding="utf-8") for path in CASES.glob("*.yml")}
    assert set(files) == ALERTS
    for name, text in files.items():
        assert f"alertname: {name}\n        exp_alerts:\n" in text, name
        assert f"alertname: {name}\n        exp_alerts: []\n" in text, name


def test_cases_are_made_of_series_that_driftline_serves() -> None:
    """Names and labels are those of the metrics in the code: a case of a series that nobody serves proves nothing."""
    served = {**known(), **OF_EVERY_PROCESS}
    for path in CASES.glob("*.yml"):
        for name, labels in re.findall(r"- series: '(\w+)\{(.*)\}'", path.read_text(encoding="utf-8")):
            assert name in served, f"{path.name}: {name}"
            given = set(re.findall(r"(\w+)=", labels))
            assert TARGET - {"role"} <= given, f"{path.name}: {name}"
            assert given - TARGET == set(served[name]) - TARGET, f"{path.name}: {name}"


@pytest.mark.needs("promtool", "prometheus")
def test_every_alert_fires_when_it_should() -> None:
    """Promtool runs all cases against the built files, annotations included."""
    told = subprocess.run(
        [needed("promtool"), "test", "rules", *sorted(map(str, CASES.glob("*.yml")))],
        capture_output=True,
        text=True,
        check=False,
    )
    failed = re.sub(r"Unit Testing:.*\n  SUCCESS\n\n", "", told.stdout) + told.stderr
    assert told.returncode == 0, failed
