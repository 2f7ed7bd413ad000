"""`driftline health` on a real Kafka and ClickHouse: what is asked of a deployment, how it answers, how quiet it is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from archiving import batch, send

from driftline.deploy.cli import main
from driftline.deploy.local.environment import variables
from driftline.schemas.columns import Category, Identity, PredictionColumns, pack_predictions
from driftline.schemas.partition import partition_of
from driftline.schemas.settings import Settings
from driftline.streams.clickhouse.book_rows import BatchRow, batch_rows
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.prediction_rows import lookup_rows, prediction_rows
from driftline.streams.clickhouse.source import Source

HOUR_MS = 3_600_000
WEEK_MS = 7 * 24 * HOUR_MS
ROWS = 400

Say = Callable[..., tuple[int, str, str]]


def answers(now_ms: int, week: int, rows: int, agent: str, seq: int) -> PredictionColumns:
    """Events of the hour before now, some weeks ago: one in twenty times out, latencies of 1 to `rows` ms."""
    status = np.where(np.arange(rows) % 20 == 0, 1, 0).astype(np.int32)
    return PredictionColumns(
        "churn",
        "1",
        "champion",
        rows,
        Identity(agent, 1, seq),
        np.random.default_rng(seq).integers(0, 256, (rows, 16), dtype=np.uint8),
        None,
        now_ms - week * WEEK_MS - HOUR_MS + np.arange(rows, dtype=np.int64) * (HOUR_MS // rows),
        latency_ms=np.arange(1, rows + 1, dtype=np.float32),
        status=Category("status", ("ok", "timeout"), status),
    )


@pytest.fixture
def now_ms() -> int:
    """A time to ask as of, so that the hours of the test stand still."""
    return time.time_ns() // 1_000_000 // HOUR_MS * HOUR_MS


@pytest.fixture
def say(
    lane: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], now_ms: int
) -> Say:
    """Fill a lane: 400 events in this hour of each of five past weeks, and 100 in the last hour, of two agents."""
    batches = [answers(now_ms, week, ROWS, "one", week) for week in range(5, 0, -1)]
    batches += [answers(now_ms, 0, 60, "one", 6), answers(now_ms, 0, 40, "two", 7)]
    home = partition_of(b"churn", lane.kafka.partitions)
    books = [
        BatchRow("churn", one.identity.instance, 1, one.identity.seq, one.rows, at, now_ms)
        for at, one in enumerate(batches)
        if one.identity is not None
    ]
    with Client(lane.clickhouse) as client:
        count = len(batches)
        source = Source(home, list(range(count)), [now_ms] * count, [one.rows for one in batches])
        client.insert("predictions", prediction_rows(batches, source), "p")
        client.insert("prediction_lookup", lookup_rows(batches, source), "l")
        client.insert("batches", batch_rows("predictions", "life", home, books), "b")
    for name, value in variables(lane).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["health", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def asked(say: Say, *arguments: str) -> dict[str, Any]:
    """The one object of `--json`."""
    code, out, err = say("churn", *arguments, "--json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def at(time_ms: int) -> str:
    """Write a time as an option."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_ms / 1000))


def test_a_quiet_hour_is_held_against_its_hour_of_the_week(say: Say, now_ms: int) -> None:
    """A quarter of the usual warns, silence fails, and weeks before the first event are no history."""
    found = asked(say, "--at", at(now_ms))
    judged = found["quiet"]
    assert (judged["verdict"], judged["events"], judged["past"]) == ("warn", 100, [ROWS] * 5)
    assert judged["reason"].startswith("Only 100 events, where 400 were to be expected")
    silent = asked(say, "--at", at(now_ms + WEEK_MS + 2 * HOUR_MS))["quiet"]
    assert (silent["verdict"], silent["events"], silent["past"][:2]) == ("inconclusive", 0, [0, 0])
    early = asked(say, "--at", at(now_ms - 3 * WEEK_MS))["quiet"]
    assert (early["verdict"], early["past"]) == ("inconclusive", [ROWS, ROWS])


def test_answers_are_told_by_version_and_agent(say: Say, now_ms: int) -> None:
    """Rate, errors by status and latency within one per cent, of all and of each emitter."""
    found = asked(say, "--at", at(now_ms))
    whole, one, two = found["services"]
    assert [row["agent"] for row in found["services"]] == ["", "one", "two"]
    assert [row["events"] for row in found["services"]] == [100, 60, 40]
    assert whole["rate"] == pytest.approx(100 / 3600)
    assert whole["errors"] == whole["errors_by_status"]["timeout"] == 5 / 100
    assert one["errors"] == 3 / 60
    waits = np.sort(np.concatenate([np.arange(1, 61), np.arange(1, 41)]))
    for share, name in ((0.5, "latency_p50"), (0.95, "latency_p95"), (0.99, "latency_p99")):
        low, high = waits[int(share * 99)], waits[min(int(share * 99) + 1, 99)]
        assert 0.989 * low <= whole[name] <= 1.011 * high
    assert two["latency_p99"] == pytest.approx(39.5, rel=0.03)
    assert found["emitters"]["lives"] == 0
    code, out, _ = say("--at", at(now_ms))
    assert code == 0
    assert out.splitlines()[1].startswith("  WARN  Only 100 events")
    assert any(
        line.startswith("    two: 40 events, 0.0111 events/s, errors 5% (timeout 5%)")
        for line in out.splitlines()
    )


def test_what_is_not_archived_gives_no_verdict(lane: Settings, say: Say, now_ms: int) -> None:
    """Records that the archive lacks may be those that seem to be missing: inconclusive, and it says so."""
    send(lane, "predictions", (b"churn", pack_predictions(batch())))
    judged = asked(say, "--at", at(now_ms))["quiet"]
    assert (judged["verdict"], judged["reason"]) == (
        "inconclusive", "The archive lacks the last 1 records of predictions.",
    )  # fmt: skip


def test_an_unknown_deployment_is_named_with_those_there_are(say: Say) -> None:
    """One sentence, exit 1."""
    code, out, err = say("chrun")
    assert (code, out) == (1, "")
    assert "deployment 'chrun' is not known: it is one of churn" in err
