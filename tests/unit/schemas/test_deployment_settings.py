"""Settings of a deployment: what a file may say, and the sentence when it says something else."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from driftline.schemas.deployment import AlertRule, Contact, DeploymentSettings, Mute, Segment
from driftline.schemas.deployment_file import parse_deployment, read_deployment
from driftline.schemas.deployment_rules import MAX_ENTRIES
from driftline.schemas.floors import METRICS, PRIMARY, Floor
from driftline.schemas.sources import SettingsError
from driftline.streams.stats.verdict import Rule

DEFAULTS = DeploymentSettings(deployment="d")
NAME = "a text of 1 to 200 printable characters, without a space at an end"
VALUE = 'a text of 1 to 200 characters in quotes, as in "late" or "1"'
LISTED = "tables, each below a line [[{}]]"
SUBJECTS = "drift, quality, performance, estimate, fairness, health, loss, freshness, coverage"
MUTE = {"since": "2026-12-24T00:00:00Z", "until": "2026-12-25T00:00:00Z", "reason": "r"}


def parsed(text: str) -> DeploymentSettings:
    """Return the settings of a deployment `d` with these lines."""
    return parse_deployment(tomllib.loads(f'deployment = "d"\n{text}'), "f.toml")


def fault(document: dict[str, Any]) -> str:
    """Return the sentence with which a file for `d` is refused."""
    with pytest.raises(SettingsError) as found:
        parse_deployment({"deployment": "d", **document}, "f.toml")
    return str(found.value)


GOOD: list[tuple[str, dict[str, Any]]] = [
    ('owner = "Ana Ruiz"', {"owner": "Ana Ruiz"}),
    ('team = "é"', {"team": "é"}),
    ('runbook = "https://wiki/x?y=1"', {"runbook": "https://wiki/x?y=1"}),
    ('importance = "critical"', {"importance": "critical"}),
    (
        '[[contacts]]\nroute = "a"\n[[contacts]]\nroute = "b"\nseverity = "fail"',
        {"contacts": (Contact(route="a"), Contact(route="b", severity="fail"))},
    ),
    ('task = "classes"', {"task": "classes"}),
    ('positive_class = "1"', {"positive_class": "1"}),
    ("threshold = 0", {"threshold": 0.0}),
    ("[quantiles]\np10 = 0.1", {"quantiles": {"p10": 0.1}}),
    ('primary_metric = "brier"', {"primary_metric": "brier"}),
    ("[floors.psi]\nwarn = 0.2\nfail = 0.3", {"floors": {"psi": Floor(warn=0.2, fail=0.3)}}),
    ("[floors.auc]\nfail = 0.2", {"floors": {"auc": Floor(warn=0.03, fail=0.2)}}),
    ("[floors.rmse]", {"floors": {"rmse": Floor(warn=0.05, fail=0.10)}}),
    ("minimum_rows = 1", {"minimum_rows": 1}),
    ('resolutions = ["1d", "5m"]', {"resolutions": ("5m", "1d")}),
    ("label_horizon_hours = 0.5", {"label_horizon_hours": 0.5}),
    (
        'baselines = ["same-hour-of-week", "previous"]',
        {"baselines": ("previous", "same-hour-of-week")},
    ),
    (
        '[segments.carrier]\nreference = "UA"\n[segments."a.b"]',
        {"segments": {"carrier": Segment(reference="UA"), "a.b": Segment()}},
    ),
    ('[feature_importance]\n"dep delay" = 3', {"feature_importance": {"dep delay": 3.0}}),
    ('[alerts]\nresolution = "7d"\nk = 1\nm = 1', {"alerts": AlertRule(resolution="7d", k=1, m=1)}),
    (
        '[[mutes]]\nsince = 1970-01-01T00:00:00Z\nuntil = 1970-01-01T01:00:00.0015+00:30\nreason = "r"',
        {"mutes": (Mute(since_ms=0, until_ms=1_800_001, reason="r"),)},
    ),
    (
        "mutes = [{since = 1970-01-01T00:00:00Z, until = 1970-01-02T00:00:00Z, reason = 'r', about = ['health']}]",
        {"mutes": (Mute(since_ms=0, until_ms=86_400_000, reason="r", about=("health",)),)},
    ),
]

BAD: list[tuple[dict[str, Any], str]] = [
    ({"deployment": "a/b"}, "deployment is 'a/b', which is no name: it has a \"/\", which separates"),
    ({"deployment": ""}, "deployment is ''; it must be a name of 1 to 200 printable characters"),
    ({"owner": 5}, f"owner is 5; it must be {NAME}"),
    ({"owner": " Ana"}, f"owner is ' Ana'; it must be {NAME}"),
    ({"team": "a\nb"}, f"team is 'a\\nb'; it must be {NAME}"),
    ({"team": "x" * 201}, "it must be a text of 1 to 200"),
    ({"runbook": "wiki"}, "runbook is 'wiki'; it must be an address that begins with http:// or https://"),
    ({"importance": "urgent"}, "importance is 'urgent'; it must be low, normal, high or critical"),
    ({"contacts": "a"}, f"contacts is 'a'; it must be {LISTED.format('contacts')}"),
    ({"contacts": ["a"]}, "contacts[1] is 'a'; it must be a table"),
    ({"contacts": [{"route": "a"}, {}]}, f"contacts[2].route is lacking; it must be {NAME}"),
    (
        {"contacts": [{"route": "a", "severity": "page"}]},
        "contacts[1].severity is 'page'; it must be warn or fail",
    ),
    ({"task": "ranking"}, "task is 'ranking'; it must be binary, classes or regression"),
    ({"positive_class": 1}, f"positive_class is 1; it must be {VALUE}"),
    (
        {"positive_class": "1", "task": "classes"},
        "positive_class is '1', but the task is classes: only binary",
    ),
    ({"threshold": "0.5"}, "threshold is '0.5'; it must be a finite number"),
    ({"threshold": float("nan")}, "threshold is nan; it must be a finite number"),
    ({"threshold": float("inf")}, "threshold is inf; it must be a finite number"),
    ({"threshold": 1.0, "task": "regression"}, "threshold is 1.0, but the task is regression: only binary"),
    ({"quantiles": {"p": 1.0}}, "quantiles.p is 1.0; it must be a number above 0 and below 1"),
    ({"quantiles": {"p": 0.1}, "task": "binary"}, "quantiles are given, but the task is binary"),
    ({"primary_metric": "psi"}, "primary_metric is 'psi'; it must be one of auc, average_precision, f1"),
    (
        {"primary_metric": "auc", "task": "regression"},
        "primary_metric is 'auc'; it must be one of rmse, mae for the task regression",
    ),
    ({"primary_metric": "x" * 201}, f"primary_metric is '{'x' * 100}'; it must be one of auc"),
    ({"floors": 1}, "floors is 1; it must be a table"),
    ({"floors": {"auc": 0.1}}, "floors.auc is 0.1; it must be a table"),
    ({"floors": {"auc": {"warn": 0}}}, "floors.auc.warn is 0; it must be a number above 0, at most 100"),
    ({"floors": {"psi": {"fail": float("nan")}}}, "floors.psi.fail is nan; it must be a number above 0"),
    ({"floors": {"f1": {"warn": 0.2}}}, "floors.f1.warn is 0.2; it must be at most fail, which is 0.05"),
    ({"floors": {"accuracy": {"fail": 5}}}, "floors.accuracy.fail is 5; accuracy cannot fall by more than 1"),
    ({"minimum_rows": 0}, "minimum_rows is 0; it must be a whole number, 1 to 1,000,000,000"),
    ({"minimum_rows": True}, "minimum_rows is True; it must be a whole number"),
    (
        {"resolutions": ["1h", "7d"]},
        "resolutions is ['1h', '7d']; it must be a list of 5m, 1h, 1d, each once",
    ),
    ({"resolutions": ["1h", "1h"]}, "resolutions is ['1h', '1h']; each may stand there once"),
    ({"label_horizon_hours": 0}, "label_horizon_hours is 0; it must be a number of hours above 0"),
    ({"baselines": ["last"]}, "baselines is ['last']; it must be a list of previous, same-hour-of-week"),
    ({"baselines": ["previous"] * 2}, "baselines is ['previous', 'previous']; each may stand there once"),
    ({"segments": ["carrier"]}, "segments is ['carrier']; it must be a table"),
    ({"segments": {"carrier": {"reference": 5}}}, f"segments.carrier.reference is 5; it must be {VALUE}"),
    ({"segments": {" a": {}}}, "segments has the key ' a', which is no name: it has a character that"),
    ({"feature_importance": {"a": -1}}, "feature_importance.a is -1; it must be a number, 0 to"),
    ({"feature_importance": {"a": float("nan")}}, "feature_importance.a is nan; it must be a number, 0 to"),
    ({"alerts": 3}, "alerts is 3; it must be a table"),
    ({"alerts": {"k": 0}}, "alerts.k is 0; it must be a whole number, 1 to 100, and at most m"),
    ({"alerts": {"m": 1.5}}, "alerts.m is 1.5; it must be a whole number, 1 to 100, and at least k"),
    ({"alerts": {"k": 4}}, "alerts.k is 4; it must be at most alerts.m, which is 3"),
    ({"alerts": {"resolution": "2d"}}, "alerts.resolution is '2d'; it must be one of 5m, 1h, 1d, 7d, 1M"),
    (
        {"alerts": {"resolution": "1M"}, "resolutions": ["1h"]},
        "alerts.resolution is '1M'; it needs 1d among resolutions",
    ),
    ({"mutes": {}}, f"mutes is {{}}; it must be {LISTED.format('mutes')}"),
    ({"mutes": [{**MUTE, "until": 5}]}, "mutes[1].until is 5; it must be a time with its zone"),
    (
        {"mutes": [{**MUTE, "since": "2026-12-24T00:00:00"}]},
        "mutes[1].since is '2026-12-24T00:00:00'; it must be a time with its zone, as in 2026-12-24T00:00:00Z",
    ),
    ({"mutes": [{**MUTE, "until": MUTE["since"]}]}, "mutes[1].since is not before its until"),
    ({"mutes": [{**MUTE, "since": "1960-01-01T00:00:00Z"}]}, "mutes[1] lies before 1970 or after 2199"),
    ({"mutes": [{**MUTE, "reason": ""}]}, f"mutes[1].reason is ''; it must be {NAME}"),
    (
        {"mutes": [{**MUTE, "about": ["rows"]}]},
        f"mutes[1].about is ['rows']; it must be a list of {SUBJECTS}",
    ),
]

UNKNOWN: list[tuple[dict[str, Any], str]] = [
    ({"ownr": "x"}, "ownr; did you mean owner?"),
    ({"label_horizon": 5}, "label_horizon; did you mean label_horizon_hours?"),
    ({"alerts": {"resolutoin": "1d"}}, "alerts.resolutoin; did you mean resolution?"),
    ({"floors": {"logloss": {}}}, "floors.logloss; did you mean log_loss?"),
    ({"floors": {"auc": {"wran": 1}}}, "floors.auc.wran; did you mean warn?"),
    ({"segments": {"carrier": {"referense": "UA"}}}, "segments.carrier.referense; did you mean reference?"),
    ({"contacts": [{"rout": "a"}]}, "contacts[1].rout; did you mean route?"),
    ({"mutes": [{**MUTE, "untill": 1}]}, "mutes[1].untill; did you mean until?"),
    ({"alerts": {"zzz": 1}}, "alerts.zzz; there are k, m, resolution"),
]


@pytest.mark.parametrize(("text", "expected"), GOOD)
def test_each_key_is_read(text: str, expected: dict[str, Any]) -> None:
    """A key that is given becomes its field, and the others keep their defaults."""
    assert parsed(text) == msgspec.structs.replace(DEFAULTS, **expected)


def test_every_key_stands_in_these_tests() -> None:
    """No field of the settings goes without a good and a bad value above."""
    fields = {field.name for field in msgspec.structs.fields(DeploymentSettings)}
    assert {name for _, expected in GOOD for name in expected} == fields - {"deployment"}
    assert {name for document, _ in BAD for name in document} == fields


@pytest.mark.parametrize("document", [{"primary_metric": "acuracy"}, {"floors": {"acuracy": {"warn": 0.1}}}])
def test_an_unknown_metric_names_the_nearest(document: dict[str, Any]) -> None:
    """What a model is judged by, and a floor, are of metrics that there are."""
    assert fault(document).endswith("; did you mean accuracy?")


@pytest.mark.parametrize(("document", "sentence"), BAD)
def test_a_wrong_value_is_one_sentence(document: dict[str, Any], sentence: str) -> None:
    """The error names file, key, value and what is allowed."""
    found = fault(document)
    assert found.startswith(f"f.toml: {sentence}") or (sentence in found and "x" * 201 in str(document))
    assert "\n" not in found


@pytest.mark.parametrize(("document", "sentence"), UNKNOWN)
def test_an_unknown_key_suggests_the_nearest(document: dict[str, Any], sentence: str) -> None:
    """No typo passes: the error names the key that was meant, or all of them."""
    assert fault(document) == f"f.toml has the unknown key {sentence}"


@pytest.mark.parametrize(("key", "bound"), MAX_ENTRIES.items())
def test_what_can_be_many_is_bounded(key: str, bound: int) -> None:
    """Workers hold these objects for hundreds of deployments, so each table and list has a bound."""
    one: Any = {"contacts": {"route": "a"}, "mutes": MUTE}.get(key)
    values: Any = {"segments": {}, "quantiles": 0.5, "feature_importance": 1}
    many = [one] * (bound + 1) if one else {f"n{number}": values[key] for number in range(bound + 1)}
    assert fault({key: many}) == f"f.toml: {key} has {bound + 1:,} entries; at most {bound:,} are allowed"


def test_a_file_without_a_deployment_is_refused() -> None:
    """Nothing says whose settings they are but the file."""
    with pytest.raises(SettingsError, match=r"^f.toml: deployment is lacking; it must be a name"):
        parse_deployment({"owner": "Ana"}, "f.toml")


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    """A missing file and one that is no TOML are named."""
    with pytest.raises(SettingsError, match=r"missing.toml cannot be read: No such file"):
        read_deployment(tmp_path / "missing.toml")
    (tmp_path / "bad.toml").write_text("deployment = ", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"bad.toml is no TOML: Invalid value"):
        read_deployment(tmp_path / "bad.toml")


def test_the_defaults_are_those_of_the_statistics() -> None:
    """Floors and minimum count that nobody set are the ones that verdicts use already."""
    rule = Rule()
    assert DEFAULTS.floor("psi") == Floor(warn=rule.warn, fail=rule.fail)
    assert DEFAULTS.minimum_rows == rule.minimum_rows
    for name in ("auc", "f1", "accuracy"):
        assert (METRICS[name].kind, METRICS[name].floor) == ("fall", Floor(warn=0.03, fail=0.05))
    for name in ("log_loss", "brier", "rmse", "mae"):
        assert (METRICS[name].kind, METRICS[name].floor) == ("rise", Floor(warn=0.05, fail=0.10))


def test_a_declared_floor_goes_before_the_default() -> None:
    """`floor` gives what was declared, else the default, and knows no other metric."""
    settings = parsed("[floors.auc]\nwarn = 0.01")
    assert settings.floor("auc") == Floor(warn=0.01, fail=0.05)
    assert settings.floor("mae") == METRICS["mae"].floor
    with pytest.raises(KeyError):
        settings.floor("ks")


def test_the_primary_metric_follows_the_task() -> None:
    """Without a declared one a task has its own, each of which may be declared for it too."""
    assert DEFAULTS.primary_metrics("binary") == ("auc", "log_loss")
    assert parsed('primary_metric = "f1"').primary_metrics("binary") == ("f1",)
    for task, names in PRIMARY.items():
        assert all(task in METRICS[name].tasks for name in names)


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("", "1d"),
        ('resolutions = ["5m", "1h"]', "1h"),
        ('resolutions = ["5m", "1d"]', "1d"),
        ('resolutions = ["1d"]\n[alerts]\nresolution = "1M"', "1M"),
        ('[alerts]\nresolution = "5m"', "5m"),
    ],
)
def test_alerts_look_at_one_width(text: str, width: str) -> None:
    """It is the declared one, else days, else the widest that is counted."""
    assert parsed(text).alert_resolution == width


def test_a_mute_holds_from_its_start_to_before_its_end() -> None:
    """Windows are muted by event time, for all subjects or those named."""
    settings = msgspec.structs.replace(
        DEFAULTS,
        mutes=(
            Mute(since_ms=10, until_ms=20, reason="all"),
            Mute(since_ms=15, until_ms=30, reason="some", about=("drift",)),
        ),
    )
    found = [settings.muted("drift", at_ms) for at_ms in (9, 10, 19, 20, 29, 30)]
    assert [mute and mute.reason for mute in found] == [None, "all", "all", "some", "some", None]
    assert settings.muted("health", 25) is None


def test_a_horizon_is_whole_milliseconds() -> None:
    """Hours are for people; what computes takes ms, or None when the data say it."""
    assert DEFAULTS.label_horizon_ms is None
    assert parsed("label_horizon_hours = 1.5").label_horizon_ms == 5_400_000


def test_the_documented_file_is_a_whole_one(checkout: Path) -> None:
    """The example of the page is read, and the page names every key and metric."""
    page = (checkout / "docs" / "deployment-settings.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```toml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    settings = parse_deployment(tomllib.loads(example), "example")
    given = {name for name in tomllib.loads(example) if getattr(settings, name) != getattr(DEFAULTS, name)}
    fields = {field.name for field in msgspec.structs.fields(DeploymentSettings)}
    assert given == fields - {"quantiles"}  # which only a regression has
    assert [name for name in (*fields, *METRICS) if f"`{name}`" not in page] == []
