"""`driftline emitters`: what people and programs see of the emitters' books."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from driftline.deploy.cli import main
from driftline.deploy.local import discover
from driftline.schemas.settings import Settings
from driftline.streams.archive import emitter_books
from driftline.streams.archive.reconcile import Life
from driftline.streams.clickhouse import reads

LIFE = Life("churn", "host.7", 1, "predictions", "3", "champion", "host", 7, 1_000, 900, 0, 90, {"expired": 10}, 500,
            0, 0, 10_000, closed=False, stored_rows=900, missing_batches=1)  # fmt: skip


@pytest.fixture(autouse=True)
def books(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the archive hold a live emitter, an ended one, and one that never sent a label."""
    now_ms = time.time_ns() // 1_000_000
    heard = {"heartbeat_at_ms": now_ms - 10, "arrived_ms": now_ms}
    live = replace(
        LIFE, instance="live", dropped={}, delivered=910, stored_rows=910, missing_batches=0, **heard
    )
    labels = replace(live, topic="labels", enqueued=0, delivered=0, in_flight=0, stored_rows=0)
    lives = [LIFE, live, labels]
    monkeypatch.setattr(discover, "settings_here", lambda *_given, **_named: Settings())
    monkeypatch.setattr(
        emitter_books, "emitter_lives", lambda _settings, name: [one for one in lives if name in (None, one.deployment)]
    )  # fmt: skip
    monkeypatch.setattr(reads, "deployments", lambda _settings: ["churn", "silent"])
    monkeypatch.setattr(
        emitter_books, "skipped_duplicates", lambda _settings: {"predictions": 3, "labels": 0}
    )


def test_a_person_sees_each_life_with_its_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    """Figures that are not zero, the verdict, its sentences; a topic without a row has no place."""
    assert main(["emitters", "churn"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("churn 3  host.7  predictions  ended, heard ")
    assert lines[1].split("  ")[1:] == [
        *("enqueued 1,000", "delivered 900", "stored 900", "in flight 90", "dropped 10"),
        *("missing batches 1", "lost in crash 90"),
    ]
    assert lines[2].startswith("  FAIL  90 rows were lost in a crash (at most 500, its buffer)")
    assert lines[3] == "        10 rows were given up: 10 expired."
    assert "  ok    All 1,000 rows are accounted for, 90 of them on their way." in lines
    assert not any("labels" in line for line in lines)
    assert lines[-1] == "3 messages of predictions had come before, and were left out."


def test_a_program_gets_every_topic_of_every_life(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line of --json has all figures, whoever delivered and dropped."""
    assert main(["emitters", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["instance"], row["topic"], row["state"], row["verdict"]) for row in rows] == [
        ("host.7", "predictions", "ended", "fail"),
        ("live", "predictions", "alive", "ok"),
        ("live", "labels", "alive", "ok"),
    ]
    ended = rows[0]
    assert (ended["lost_in_crash"], ended["dropped"], ended["missing_batches"]) == (90, {"expired": 10}, 1)
    assert (ended["duplicates"], ended["topic_duplicates"], rows[1]["clock_skew_ms"]) == (0, 3, -10)


def test_a_longer_silence_can_be_borne(capsys: pytest.CaptureFixture[str]) -> None:
    """With --ended-after longer than its silence a life is silent, and nothing of it is lost yet."""
    assert main(["emitters", "--ended-after", "1e9", "--json"]) == 0
    row = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (row["state"], row["lost_in_crash"]) == ("silent", 0)


def test_nobody_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    """A deployment whose windows are stored, and whose emitters were never heard, is told so."""
    assert main(["emitters", "silent"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "no emitter of deployment 'silent' has been heard of"


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_an_unknown_deployment_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A name that nothing is stored of is one sentence with those that are known, as of every other command."""
    assert main(["emitters", "nosuch", *words]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "driftline: deployment 'nosuch' is not known: it is one of churn, silent\n"
