"""`driftline compare-versions` on a real Kafka and ClickHouse: a champion and its challenger on the same rows."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from counting import batch, profile_of
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from driftline.deploy.cli import main
from driftline.deploy.local.environment import variables
from driftline.deploy.tables.shelf import publish
from driftline.schemas.columns import Category, LabelColumns, NumericBlock, PredictionColumns
from driftline.schemas.settings import Settings
from driftline.schemas.window import Figure, WindowResult
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.label_rows import label_rows
from driftline.streams.clickhouse.prediction_rows import prediction_rows
from driftline.streams.clickhouse.source import Source
from driftline.streams.clickhouse.window_rows import window_rows

DAY_MS = 86_400_000
ROWS, DAYS = 8_000, 25


def said(
    version: str, slot: str, ids: np.ndarray, scores: np.ndarray, times_ms: np.ndarray, latency_ms: float
) -> PredictionColumns:
    """Predictions of one version, every hundredth of which failed."""
    return PredictionColumns(
        "churn", version, slot, len(ids), None, ids, None, times_ms,
        scores=[NumericBlock(("score",), scores[None, :].astype(np.float32))],
        latency_ms=np.full(len(ids), latency_ms, np.float32),
        status=Category("status", ("ok", "error"), (np.arange(len(ids)) % 100 == 0).astype(np.int32)),
    )  # fmt: skip


def drift(version: str, slot: str, start_ms: int, value: float) -> WindowResult:
    """A final day that says how far a feature lies off."""
    verdict = "fail" if value > 0.2 else "ok"
    return WindowResult(
        "churn", version, slot, "1d", start_ms, start_ms + DAY_MS, "d", 0, 1,
        final=True, restated=False, rows=10, watermark_ms=start_ms, counts=b"", computed_at_ms=start_ms,
        figures=[Figure("drift", "age", "psi", value, verdict=verdict, rows=10)],
    )  # fmt: skip


def test_a_better_challenger_is_seen_on_the_same_rows(
    lane: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Values are scikit-learn's on the rows that both answered, the gain is their difference, zero lies below."""
    draw = np.random.default_rng(3)
    now_ms = time.time_ns() // 1_000_000
    start = (now_ms // DAY_MS - DAYS) * DAY_MS
    ids = draw.integers(0, 256, (ROWS, 16), dtype=np.uint8)
    times = start + np.sort(draw.integers(0, DAYS * DAY_MS, ROWS))
    shares = draw.random(ROWS)
    truth = (draw.random(ROWS) < shares).astype(np.int32)
    dull = np.clip(0.5 + 0.3 * (shares - 0.5) + draw.normal(0, 0.1, ROWS), 0.01, 0.99)
    both = [
        said("1", "champion", ids, dull, times, 4.0),
        said("2", "challenger", ids[500:], np.clip(shares, 0.01, 0.99)[500:], times[500:], 2.0),
        said("3", "champion", ids[:10], dull[:10], times[:10] - 40 * DAY_MS, 1.0),
    ]
    label = LabelColumns(
        "churn", ROWS - 1000, None, ids[: ROWS - 1000], None, times[: ROWS - 1000] + DAY_MS,
        classes=Category("class", ("0", "1"), truth[: ROWS - 1000]),
    )  # fmt: skip
    windows = [drift("1", "champion", start, 0.1), drift("1", "champion", start + DAY_MS, 0.3)]
    windows.append(drift("2", "challenger", start, 0.05))
    with Client(lane.clickhouse) as client:
        source = Source(0, [0, 1, 2], [now_ms] * 3, [one.rows for one in both])
        client.insert("predictions", prediction_rows(both, source), "p")
        client.insert("labels", label_rows([label], Source(0, [0], [now_ms], [label.rows])), "t")
        client.insert("windows", window_rows(windows, [0, 1, 2], [now_ms] * 3), "w")
    reference = batch({"x": range(500)}, scores={"score": draw.random(500)}, dtype="float32")
    publish(lane, replace(profile_of(reference, provenance="held-out", has_times=False), deployment="churn"))
    for name, value in variables(lane).items():
        monkeypatch.setenv(name, value)

    assert main(["compare-versions", "churn", "1", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    mine = slice(500, ROWS - 1000)
    scores = [
        dull.astype(np.float32)[mine].astype(float),
        np.clip(shares, 0.01, 0.99)[mine].astype(np.float32),
    ]
    assert found["performance"]["rows"] == ROWS - 1500
    figures = {one["metric"]: one for one in found["performance"]["figures"]}
    for name, of in (("log_loss", log_loss), ("auc", roc_auc_score)):
        assert figures[name]["values"] == pytest.approx([of(truth[mine], one) for one in scores], rel=1e-6)
    hits = [accuracy_score(truth[mine], one > 0.5) for one in scores]
    assert figures["accuracy"]["values"] == pytest.approx(hits)
    loss = figures["log_loss"]
    assert loss["gain"] == pytest.approx(loss["values"][0] - loss["values"][1], rel=1e-6)
    assert 0 < loss["low"] < loss["gain"] < loss["high"]
    assert figures["auc"]["days"] == len(np.unique(times[mine] // DAY_MS))
    one, two = found["versions"]
    assert (one["slot"], one["latency_ms"]["p50"], one["errors"]) == ("champion", 4.0, ROWS // 100)
    assert (two["slot"], two["latency_ms"]["p99"], two["predictions"]) == ("challenger", 2.0, ROWS - 500)
    assert one["drift"] == [
        {
            "feature": "age",
            "metric": "psi",
            "windows": 2,
            "mean": pytest.approx(0.2),
            "worst": 0.3,
            "fails": 1,
        }
    ]
    assert [each["fails"] for each in two["drift"]] == [0]

    assert main(["compare-versions", "churn", "1", "2"]) == 0
    shown = capsys.readouterr().out
    assert f"performance on {ROWS - 1500:,} labelled predictions that both answered" in shown
    assert "age psi" in shown

    assert main(["compare-versions", "churn", "1", "3"]) == 0
    why = "performance: none, for 1 as champion and 3 as champion never answered at the same time: --since and --until"
    assert why in capsys.readouterr().out
    assert main(["compare-versions", "churn", "1", "4"]) == 1
    assert "version '4' of deployment 'churn' answered nothing" in capsys.readouterr().err


def test_a_version_that_was_promoted_is_held_where_both_answered(
    lane: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The 300 rows that it answered as shadow count, not the 1,000 that it answered alone as champion."""
    draw = np.random.default_rng(4)
    now_ms = time.time_ns() // 1_000_000
    ids = draw.integers(0, 256, (1_300, 16), dtype=np.uint8)
    times, scores = (now_ms // DAY_MS - 2) * DAY_MS + 60_000 * np.arange(1_300), draw.random(1_300)
    beside, alone = slice(0, 300), slice(300, 1_300)
    parts = [
        said("1", "champion", ids[beside], scores[beside], times[beside], 4.0),
        said("2", "shadow", ids[beside], scores[beside], times[beside], 2.0),
        said("2", "champion", ids[alone], scores[alone], times[alone], 2.0),
    ]
    label = LabelColumns(
        "churn",
        1_300,
        None,
        ids,
        None,
        times,
        classes=Category("class", ("0", "1"), (scores > 0.5).astype(np.int32)),
    )
    with Client(lane.clickhouse) as client:
        source = Source(0, [0, 1, 2], [now_ms] * 3, [one.rows for one in parts])
        client.insert("predictions", prediction_rows(parts, source), "p")
        client.insert("labels", label_rows([label], Source(0, [0], [now_ms], [label.rows])), "t")
    reference = batch({"x": range(500)}, scores={"score": draw.random(500)}, dtype="float32")
    publish(lane, replace(profile_of(reference, provenance="held-out", has_times=False), deployment="churn"))
    for name, value in variables(lane).items():
        monkeypatch.setenv(name, value)

    for versions, slots in ((("1", "2"), ["champion", "shadow"]), (("2", "1"), ["shadow", "champion"])):
        assert main(["compare-versions", "churn", *versions, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert [one["slot"] for one in found["versions"]] == slots
        assert (found["performance"]["rows"], found["performance"]["why"]) == (300, None)

    since = f"{datetime.fromtimestamp(times[200] / 1_000, UTC):%Y-%m-%dT%H:%M}"
    assert main(["compare-versions", "churn", "1", "2", "--since", since]) == 0
    assert (
        "performance: none, for 100 labelled predictions were answered by both 1 as champion and 2 as shadow, and 200 "
        "are needed: --since and --until narrow the time" in capsys.readouterr().out
    )
