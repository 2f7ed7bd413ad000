"""`driftline windows --exact` on a real Kafka and ClickHouse: figures of a closed day from its joined rows."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from counting import batch, profile_of
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from driftline.deploy.cli import main
from driftline.deploy.local.environment import variables
from driftline.deploy.tables.shelf import publish
from driftline.schemas.columns import Category, LabelColumns, NumericBlock, PredictionColumns
from driftline.schemas.settings import Settings
from driftline.schemas.window import Figure, WindowResult
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.label_rows import label_rows
from driftline.streams.clickhouse.prediction_rows import lookup_rows, prediction_rows
from driftline.streams.clickhouse.source import Source
from driftline.streams.clickhouse.window_rows import window_rows

DAY_MS = 86_400_000
ROWS = 3_000


def said(ids: np.ndarray, scores: np.ndarray, times_ms: np.ndarray) -> PredictionColumns:
    """A batch of predictions with a score."""
    block = NumericBlock(("score",), scores[None, :].astype(np.float32))
    return PredictionColumns(
        "churn", "1", "champion", len(ids), None, ids, None, times_ms.astype(np.int64), scores=[block]
    )


def told(ids: np.ndarray, known_ms: np.ndarray, values: np.ndarray) -> LabelColumns:
    """A batch of labels: 0 and 1 as classes, -1 withdraws."""
    return LabelColumns(
        "churn",
        len(ids),
        None,
        ids,
        None,
        known_ms.astype(np.int64),
        classes=Category("class", ("0", "1"), values.astype(np.int32)),
        withdrawn=values < 0,
    )


def test_the_exact_figures_of_a_day_are_those_of_its_joined_rows(
    lane: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Repeated ids count as windows count them, corrected labels as they are, withdrawn not; scikit-learn to 1e-9."""
    draw = np.random.default_rng(7)
    now_ms = time.time_ns() // 1_000_000
    start = (now_ms // DAY_MS - 3) * DAY_MS
    ids = draw.integers(0, 256, (ROWS, 16), dtype=np.uint8)
    scores = draw.random(ROWS).astype(np.float32)
    times = start + draw.integers(0, DAY_MS, ROWS)
    # A hundred ids came a day before for the first time, which still took facts; a hundred come again later, with other
    # scores; and a hundred came a month before, on a day that was cold when they came again: those count here too.
    long_ago = said(ids[200:300], 1 - scores[200:300], np.full(100, start - 30 * DAY_MS))
    before = said(ids[:100], 1 - scores[:100], np.full(100, start - 1))
    day = said(ids, scores, times)
    again = said(ids[100:200], 1 - scores[100:200], times[100:200])
    first = (draw.random(ROWS) < scores).astype(int)
    truth = np.where(np.arange(ROWS) % 5 == 0, 1 - first, first)  # every fifth is corrected
    truth[:300:3] = -1
    later = start + 2 * DAY_MS
    labels = [
        told(ids[: ROWS - 500], np.full(ROWS - 500, later), first[: ROWS - 500]),
        told(ids[: ROWS - 500], np.full(ROWS - 500, later + 1), truth[: ROWS - 500]),
        told(ids[: ROWS - 500], np.full(ROWS - 500, later - 1), 1 - first[: ROWS - 500]),
    ]
    predictions = [long_ago, before, day, again]
    result = WindowResult(
        "churn", "1", "champion", "1d", start, start + DAY_MS, "d", 0, 1,
        final=True, restated=False, rows=ROWS, watermark_ms=now_ms, counts=b"", computed_at_ms=now_ms,
        figures=[Figure("performance", "", "auc", 0.7, rows=10, low=0.6, high=0.8, interval="bounds")],
        role="accuracy", labels=10,
    )  # fmt: skip
    with Client(lane.clickhouse) as client:
        source = Source(0, [2, 3, 4, 5], [now_ms] * 4, [one.rows for one in predictions])
        client.insert("predictions", prediction_rows(predictions, source), "p")
        client.insert("prediction_lookup", lookup_rows(predictions, source), "l")
        source = Source(0, [0, 1, 2], [now_ms] * 3, [one.rows for one in labels])
        client.insert("labels", label_rows(labels, source), "t")
        client.insert("windows", window_rows([result], [0], [now_ms]), "w")
    reference = batch({"x": range(500)}, scores={"score": draw.random(500)}, dtype="float32")
    publish(lane, replace(profile_of(reference, provenance="held-out", has_times=False), deployment="churn"))
    for name, value in variables(lane).items():
        monkeypatch.setenv(name, value)

    assert main(["windows", "churn", "--resolution", "1d", "--exact", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    exact = {row["metric"]: row for row in rows if row["interval"] == "exact"}
    mine = np.arange(100, ROWS - 500)
    mine = mine[truth[mine] >= 0]
    raw = scores[mine].astype(float)
    expected = {
        "auc": roc_auc_score(truth[mine], raw),
        "average_precision": average_precision_score(truth[mine], raw),
        "log_loss": log_loss(truth[mine], raw),
        "brier": brier_score_loss(truth[mine], raw),
    }
    assert {name: row["value"] for name, row in exact.items()} == pytest.approx(expected, rel=1e-9)
    one = exact["auc"]
    assert (one["low"], one["high"], one["labels"]) == (one["value"], one["value"], len(mine))
    assert one["coverage"] == pytest.approx(len(mine) / (ROWS - 100))
    assert [row["value"] for row in rows if row["interval"] == "bounds"] == [0.7]

    assert main(["windows", "churn", "--resolution", "1d", "--exact"]) == 0
    shown = capsys.readouterr().out
    assert "truth        auc 0.7 [0.6, 0.8 bounds]" in shown
    assert f"exact        auc {expected['auc']:.5g}, average_precision" in shown
