"""`driftline alerts` over rows in memory: what it shows, what it publishes, and how it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from driftline.deploy.cli import main
from driftline.deploy.local import compacted
from driftline.schemas.alert import Alert
from driftline.schemas.settings import Settings
from driftline.streams.clickhouse import alert_reads, reads
from driftline.streams.clickhouse.alert_reads import AlertFilter

Say = Callable[..., tuple[int, str, str]]
NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


def row(**over: Any) -> dict[str, Any]:
    """One alert as ClickHouse has it."""
    given = {
        "id": "54ac-7", "alert_id": "54ac", "ordinal": 7, "deployment": "shop", "rule": "windows", "about": "drift",
        "name": "x", "segment": "", "slot": "champion", "state": "firing", "severity": "fail", "importance": "high",
        "priority": 2, "reason": "2 of the last 3 windows of 1d are bad.", "model_version": "3", "resolution": "1d",
        "window_version": 4, "rows": 500, "settings_revision": 1, "owner": "Ana", "team": None,
        "runbook": "https://wiki.example.org/x", "routes": ["chat"], "window_start": NOON, "window_end": NOON,
        "since": NOON, "made_at": NOON, "acknowledged_by": "", "acknowledged_at": None, "comment": "", "figures": [],
    }  # fmt: skip
    return {**given, **over}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[AlertFilter]:
    """Put rows in memory where ClickHouse would be; gives what was asked for."""
    filters: list[AlertFilter] = []

    def read(_settings: Settings, chosen: AlertFilter, limit: int) -> list[dict[str, Any]]:
        filters.append(chosen)
        rows = [row(), row(alert_id="54bd", state="resolved", name="y")]
        named = [one for one in rows if one["alert_id"].startswith(chosen.name or "")]
        there = [] if chosen.deployment in {"calm", "shpo"} else named
        return [one for one in there if one["state"] == "firing" or not chosen.is_open][:limit]

    monkeypatch.setattr(alert_reads, "alerts", read)
    monkeypatch.setattr(alert_reads, "alerted_deployments", lambda _settings: ["shop"])
    monkeypatch.setattr(reads, "deployments", lambda _settings: ["calm"])
    return filters


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    """Run a command line; gives code, stdout and stderr."""
    monkeypatch.setenv("DRIFTLINE_LOCAL_KAFKA", "outside")
    monkeypatch.setenv("DRIFTLINE_LOCAL_CLICKHOUSE", "outside")
    monkeypatch.setenv("DRIFTLINE_OPERATOR_NAME", "Bo")

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["alerts", *words])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), AlertFilter()),
        (("--open",), AlertFilter(is_open=True)),
        (("shop", "--open"), AlertFilter("shop", is_open=True)),
        (("--json", "shop"), AlertFilter("shop")),
    ],
)
def test_options_stand_before_or_after_the_deployment(
    say: Say, asked: list[AlertFilter], words: tuple[str, ...], wanted: AlertFilter
) -> None:
    """Though `ack` is a command of the same name, a deployment may be given like anywhere else."""
    assert say(*words)[0] == 0
    assert asked == [wanted]


@pytest.mark.usefixtures("asked")
def test_people_and_programs_read_the_same(say: Say) -> None:
    """What and how urgent; which window, when and whose; why; the runbook of what fires; JSON with every field."""
    out = say()[1].splitlines()
    assert out[:4] == [
        "FAIL     shop drift x  P2  54ac",
        "  window 2026-04-01 12:00, told 2026-04-01 12:00 UTC, Ana",
        "  2 of the last 3 windows of 1d are bad.",
        "  runbook https://wiki.example.org/x",
    ]
    assert out[4].startswith("resolved shop drift y  P2")
    lines = [json.loads(line) for line in say("--json")[1].splitlines()]
    assert [line["state"] for line in lines] == ["firing", "resolved"]
    assert lines[0]["made_at"] == "2026-04-01T12:00:00.000+00:00"


@pytest.mark.usefixtures("asked")
def test_no_alert_is_news_of_a_deployment_that_there_is(say: Say) -> None:
    """A name that nobody has sent is an error, not a deployment on which all is well."""
    assert say("calm") == (0, "no alert of 'calm' has fired\n", "")
    assert say("shpo", "--open") == (
        1, "", "driftline: deployment 'shpo' is not known: it is one of calm, shop\n",
    )  # fmt: skip


@pytest.mark.usefixtures("asked")
def test_an_acknowledgement_names_the_edge_it_answers(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is published under the deployment's key, with who and what they say."""
    sent: list[tuple[bytes, bytes]] = []
    monkeypatch.setattr(compacted, "produce", lambda _kafka, _topic, key, value: sent.append((key, value)))
    assert say("ack", "54a", "--comment", "looking") == (0, "shop drift x: acknowledged by Bo\n", "")
    ((key, value),) = sent
    ack = Alert.from_bytes(value)
    assert (key, ack.state, ack.ordinal, ack.by, ack.comment) == (b"shop", "acknowledged", 7, "Bo", "looking")
    assert ack.id.startswith("54ac-7-ack-")


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("ack", "54"), 1, "'54' is the beginning of several: give more of it"),
        (("ack", "zz"), 1, "'zz' is no alert; 'driftline alerts --open' shows those that fire"),
        (("ack", ""), 1, "'' is no alert"),
        (("ack", "54bd"), 1, "alert 54bd is resolved: there is nothing to acknowledge"),
        (
            ("ack", "54ac", "--comment", "x" * 1_001),
            1,
            "the comment has 1,001 characters; at most 1,000 are allowed",
        ),
        (("ack",), 2, "Missing argument 'ALERT_ID'"),
        (("shop", "other"), 2, "No such command 'other'"),
    ],
)
def test_what_cannot_be_acknowledged_is_one_sentence(
    say: Say, words: tuple[str, ...], code: int, sentence: str
) -> None:
    """It names the alert and what to do; wrong usage is exit code 2."""
    found, out, err = say(*words)
    assert (found, out) == (code, "")
    assert sentence in err
    assert err.count("\n") == 1
