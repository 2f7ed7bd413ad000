"""Rules are built from the one list, as they lie in the tree, and each alert has a page that says what to do."""

from __future__ import annotations

import re
from pathlib import Path

import click
import msgspec
import pytest
import yaml

from driftline.deploy.board.panels import DASHBOARDS
from driftline.deploy.cli import main
from driftline.deploy.cli.commands import BY_NAME
from driftline.deploy.cli.group import load
from driftline.deploy.rules.build import OBJECT, Wishes, rule_files, rule_object
from driftline.deploy.rules.errors import RulesError
from driftline.deploy.rules.groups import groups
from driftline.deploy.rules.names import known
from driftline.deploy.rules.objective import Objective
from driftline.schemas.runbooks import RUNBOOKS
from driftline.schemas.settings import Settings

ROOT = Path(__file__).parents[3]
BUILT = ROOT / "deploy" / "prometheus" / "rules"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "runbooks").glob("*.md")}
ALERTS = [alert for group in groups() for alert in group.alerts]
EVERY = pytest.mark.parametrize("name", sorted(PAGES))


def test_the_built_rules_in_the_tree_are_those_of_the_list() -> None:
    """Who changes a rule builds them again: `driftline rules build deploy/prometheus/rules`; none is left over."""
    assert {path.name: path.read_text(encoding="utf-8") for path in BUILT.iterdir()} == rule_files(Wishes())


def test_the_rules_for_kubernetes_are_those_of_the_list() -> None:
    """They are the same groups in one: `driftline rules build deploy/k8s/components/monitors --kubernetes`."""
    lying = (ROOT / "deploy/k8s/components/monitors" / OBJECT).read_text(encoding="utf-8")
    assert lying == rule_object(Wishes())
    files = [group for text in rule_files(Wishes()).values() for group in yaml.safe_load(text)["groups"]]
    assert yaml.safe_load(lying)["spec"]["groups"] == files


def test_rules_read_series_that_somebody_writes() -> None:
    """Every metric of driftline in an expression is served by the code, every recorded one by an earlier rule."""
    recorded: set[str] = set()
    for group in groups():
        for rule in group.rules:
            assert set(re.findall(r"driftline_\w+", rule.expr)) <= known().keys(), rule.name
            assert set(re.findall(r"driftline:[\w:]+", rule.expr)) <= recorded, rule.name
            recorded |= {rule.name} if ":" in rule.name else set()


def test_every_alert_has_a_page_and_no_page_is_left_over() -> None:
    """The link of an alert leads to a page of docs/runbooks/ as the site (`make docs`) shows it: x.md is x.html."""
    assert PAGES.keys() == {alert.name for alert in ALERTS}
    links = re.findall(r'runbook_url: "(.*)"', "".join(rule_files(Wishes()).values()))
    assert set(links) == {f"{RUNBOOKS}/{name}.html" for name in PAGES}


@EVERY
def test_a_page_says_what_it_means_and_what_to_look_at_and_to_do(name: str) -> None:
    """Three sections, none empty, and pages that it names exist."""
    title, *sections = re.split(r"^#+ ", PAGES[name], flags=re.MULTILINE)[1:]
    assert title.strip() == name
    heads, texts = zip(*(section.split("\n", 1) for section in sections), strict=True)
    assert heads == ("What it means", "What to look at", "What to do")
    assert all(len(text.split()) > 8 for text in texts)
    assert set(re.findall(r"\]\((\w+)\.md\)", PAGES[name])) <= PAGES.keys()


@EVERY
def test_what_a_page_tells_to_run_or_look_at_exists(name: str) -> None:
    """Commands, their options, settings, metrics and panels of Grafana are those of the code."""
    text = " ".join(PAGES[name].split())
    for line in re.findall(r"`driftline ([^`]*)`", text):
        is_a_command(line)
    known_settings = {
        f"{section.name}.{field.name}"
        for section in msgspec.structs.fields(Settings)
        for field in msgspec.structs.fields(section.type)
    }
    sections = {section.name for section in msgspec.structs.fields(Settings)}
    named = {one for one in re.findall(r"`(\w+\.\w+)`", text) if one.split(".")[0] in sections}
    assert named <= known_settings
    assert set(re.findall(r"driftline_\w+", text)) <= known().keys() | {"driftline_serving_call_seconds"}
    panels = {board.title: {panel.title for panel in board.panels} for board in DASHBOARDS}
    for board, panel in re.findall(r"Grafana, \*([\w ]+)\*(?:, \*([^*]+)\*)?", text):
        assert board in panels
        assert not panel or panel in panels[board]


def is_a_command(line: str) -> None:
    """Fail unless it names a command of the table, and options of it."""
    name, *words = line.split()
    if name.startswith("--"):
        assert name == "--version"
        return
    command = load(BY_NAME[name])
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        if words[0].isupper():
            break
        command = command.commands[words.pop(0)]
    options = {text for one in command.params for text in one.opts}
    assert {word for word in words if word.startswith("-")} <= options, line


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_the_command_of_an_alert_exists(alert: object) -> None:
    """What `look` says can be run."""
    look = str(getattr(alert, "look", ""))
    is_a_command(re.sub(r"\{\{.*?\}\}", "NAME", look).removeprefix("driftline "))


def test_an_installation_has_its_own_addresses_and_objectives(tmp_path: Path) -> None:
    """Options of the command change links, shares and how long an alert is held."""
    words = [
        "--runbooks",
        "https://ops.example/",
        "--available",
        "99.5",
        "--quick-ms",
        "250",
        "--most-hold",
        "5",
    ]
    assert main(["rules", "build", str(tmp_path), *words]) == 0
    made = "".join(path.read_text() for path in tmp_path.iterdir())
    assert 'runbook_url: "https://ops.example/DriftlineTargetDown.html"' in made
    assert "> 0.072 and" in made
    assert 'le="0.25"' in made
    assert set(re.findall(r'for: "(\w+)"', made)) == {"5s"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"available": 100}, "the objective available is 100 %; it must be 50 or more, and below 100"),
        ({"quick": 90}, "the objective quick is 90 %, which 144 % of bad requests would have to break"),
        (
            {"quick_s": 0.2},
            "the objective of 200 ms is no bound of the agents' histogram; take one of 0.5, 1, ",
        ),
    ],
)
def test_an_objective_that_cannot_be_watched_is_refused(given: dict[str, float], said: str) -> None:
    """No budget, no rate that could break it, no bucket: one sentence."""
    with pytest.raises(RulesError, match=f"^{re.escape(said)}"):
        Objective(**given)
