"""Whom each alert reaches, as Alertmanager's own amtool reads the built file; and teams that are refused."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from programs import needed

from driftline.deploy.cli import main
from driftline.deploy.rules.errors import RulesError
from driftline.deploy.rules.groups import groups
from driftline.deploy.rules.routes import routes_file
from driftline.deploy.rules.rule import AGENTS, CONTROLLER, WORKERS
from driftline.deploy.rules.teams import read_teams

DEPLOY = Path(__file__).parents[3] / "deploy"
TEAMS, BUILT = DEPLOY / "alertmanager" / "teams.toml", DEPLOY / "alertmanager" / "alertmanager.yml"
OURS = {"alertname": "DriftlineRoleMissing", "severity": "critical", "role": "drift"}
THEIRS = {"alertname": "driftline_drift", "severity": "critical", "deployment": "churn", "team": "growth"}
BURN = {**THEIRS, "alertname": "DriftlineAvailabilityBurn"}


def ran(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a program of Prometheus's house."""
    return subprocess.run([needed(words[0]), *words[1:]], capture_output=True, text=True, check=False)


def test_the_built_routes_in_the_tree_are_those_of_the_teams() -> None:
    """Who changes teams builds again: `driftline rules routes` of teams.toml to alertmanager.yml."""
    assert BUILT.read_text(encoding="utf-8") == routes_file(read_teams(TEAMS))


@pytest.mark.needs("amtool", "prometheus-alertmanager")
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (OURS, "platform-page"),
        ({**OURS, "severity": "warning"}, "platform-ticket"),
        ({**THEIRS, "importance": "high"}, "growth-page"),
        ({**THEIRS, "importance": "normal"}, "growth-ticket"),
        ({**THEIRS, "importance": "high", "severity": "warning"}, "growth-ticket"),
        ({**BURN, "importance": "critical"}, "growth-page"),
        ({**BURN, "importance": "critical", "team": "nobody"}, "platform-page"),
        ({**BURN, "importance": "low", "team": ""}, "platform-ticket"),
    ],
)
def test_an_alert_reaches_its_team_and_wakes_for_what_is_important(
    labels: dict[str, str], receiver: str
) -> None:
    """One receiver by team, importance and severity, for Prometheus's rules and driftline's own alerts alike."""
    words = [f"{name}={value}" for name, value in labels.items()]
    told = ran("amtool", "config", "routes", "test", f"--config.file={BUILT}", *words)
    assert told.stdout.split() == [receiver], told.stderr


@pytest.mark.needs("amtool", "prometheus-alertmanager")
def test_alertmanager_takes_the_file(tmp_path: Path) -> None:
    """With a receiver of Alertmanager's own kinds too, and a team whose name has to be quoted."""
    teams = tmp_path / "teams.toml"
    text = TEAMS.read_text(encoding="utf-8").replace("[teams.growth]", "[teams.'a \"b\"']")
    slack = 'page = { slack_configs = [{ channel = "#ops", api_url = "http://127.0.0.1:9/" }] }'
    teams.write_text(re.sub(r"^page = .*$", slack, text, count=1, flags=re.MULTILINE), encoding="utf-8")
    assert main(["rules", "routes", str(teams), str(tmp_path / "alertmanager.yml")]) == 0
    told = ran("amtool", "check-config", str(tmp_path / "alertmanager.yml"))
    assert told.returncode == 0, told.stdout + told.stderr


def test_what_hides_and_is_hidden_are_alerts() -> None:
    """Each name in the rules of inhibition is an alert of the list, or one of driftline's own."""
    names = {alert.name for group in groups() for alert in group.alerts} | {"driftline_freshness"}
    found = re.findall(r'alertname=~?"([^"]*)"', BUILT.read_text(encoding="utf-8").split("inhibit_rules")[1])
    found = [name for one in found for name in one.split("|")]
    assert len(found) > 10
    assert {name for name in found if ".+" not in name} <= names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[platform]\npage = "http://a"', "Object missing required field `ticket` - at `$.platform`"),
        ('[platform]\npage = "ftp://a"\nticket = "http://a"', "Expected `str` matching regex"),
        ('[platform]\npage = "http://a"\nticket = "http://a"\nsms = 1', "unknown field `sms`"),
        (
            '[platform]\npage = "http://a"\nticket = "http://a"\n[teams.platform]\npage = "http://a"\nticket = "http://a"',
            "no team can be called 'platform', which is who runs driftline: rename it",
        ),
    ],
)
def test_teams_that_cannot_be_are_refused(tmp_path: Path, text: str, said: str) -> None:
    """One sentence that names the file and what is wrong."""
    (tmp_path / "teams.toml").write_text(text)
    with pytest.raises(RulesError) as caught:
        read_teams(tmp_path / "teams.toml")
    assert str(caught.value).startswith(str(tmp_path))
    assert said in str(caught.value)


@pytest.mark.needs("promtool", "prometheus")
def test_prometheus_takes_its_configurations() -> None:
    """Both are valid, and name the jobs and roles that rules know targets by."""
    for name in ("prometheus.yml", "local.yml"):
        file = DEPLOY / "prometheus" / name
        told = ran("promtool", "check", "config", str(file))
        assert told.returncode == 0, told.stdout + told.stderr
        jobs = re.findall(r"job_name: (\S+)", file.read_text(encoding="utf-8"))
        assert jobs == [WORKERS, CONTROLLER, AGENTS]
