"""`driftline labels` on a real ClickHouse: what was told, what was taken back, what waits for its prediction."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np
import pytest

from driftline.deploy.cli import main
from driftline.deploy.local.environment import variables
from driftline.schemas.columns import Category, LabelColumns, PredictionColumns
from driftline.schemas.settings import Settings
from driftline.schemas.window import WindowResult
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.label_rows import label_rows
from driftline.streams.clickhouse.prediction_rows import lookup_rows, prediction_rows
from driftline.streams.clickhouse.source import Source
from driftline.streams.clickhouse.window_rows import window_rows

DAY_MS = 86_400_000
HOUR_MS = 3_600_000

Say = Callable[..., tuple[int, str, str]]


def ids(*numbers: int) -> np.ndarray:
    """Ids whose last byte tells them apart."""
    found = np.zeros((len(numbers), 16), np.uint8)
    found[:, 15] = numbers
    return found


def told(
    deployment: str, known_ms: int, of: np.ndarray, *values: float | None, names: list[str] | None = None
) -> LabelColumns:
    """A batch of numbers; None withdraws."""
    numbers = np.array([np.nan if value is None else value for value in values])
    known = np.full(len(values), known_ms, np.int64)
    withdrawn = np.isnan(numbers)
    return LabelColumns(
        deployment, len(values), None, of, list(names) if names else None, known, numbers, None, withdrawn
    )


@pytest.fixture
def say(lane: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Fill a lane: predictions 0 to 9; labels of 0 to 3 and of 20 to 22, which nobody predicted; two days ago."""
    now_ms = time.time_ns() // 1_000_000
    old_ms = now_ms - 2 * DAY_MS
    said = PredictionColumns(
        "churn", "1", "champion", 10, None, ids(*range(10)), None, np.full(10, old_ms, np.int64)
    )
    classes = told("churn", old_ms, ids(22), 0.0)
    classes.numbers, classes.withdrawn = None, None
    classes.classes = Category("class", ("yes",), np.zeros(1, np.int32))
    batches = [
        told("churn", old_ms, ids(0, 1, 2, 3), 1, 0, 1, 1),
        told("churn", old_ms + 1, ids(0, 1, 2), 1, 1, None),  # the same, another, none
        told("churn", old_ms - 1, ids(0, 2, 3), 0, 0, 0),  # older than what holds: no corrections
        told("churn", old_ms, ids(0), 0),  # older than what came second
        told("churn", old_ms, ids(20, 21), 0.5, 1, names=["order-20", "order-21"]),
        told("churn", old_ms + 1, ids(21), None, names=["order-21"]),
        classes,
        told("nobody", old_ms, ids(1), 1),
    ]
    times = [old_ms, old_ms, old_ms, old_ms, old_ms, old_ms, now_ms, old_ms]
    day = WindowResult(
        "churn", "1", "champion", "1d", old_ms // DAY_MS * DAY_MS, (old_ms // DAY_MS + 1) * DAY_MS, "d", 0, 9,
        final=True, restated=False, rows=10, watermark_ms=now_ms, counts=b"", computed_at_ms=now_ms,
        role="accuracy", labels=3, delay_p50_s=60.0, delay_p90_s=7200.0, provisional=True,
    )  # fmt: skip
    with Client(lane.clickhouse) as client:
        source = Source(0, [0], [old_ms], [10])
        client.insert("predictions", prediction_rows([said], source), "p")
        client.insert("prediction_lookup", lookup_rows([said], source), "l")
        source = Source(0, list(range(len(batches))), times, [batch.rows for batch in batches])
        client.insert("labels", label_rows(batches, source), "t")
        client.insert("windows", window_rows([day], [0], [now_ms]), "w")
    for name, value in variables(lane).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["labels", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_labels_are_counted_by_id(say: Say) -> None:
    """What was told, what holds, what was corrected (not repeated, not stale), taken back, and has no prediction."""
    found = json.loads(say("churn", "--json")[1])
    day = found.pop("days")[0]
    assert found == {
        "deployment": "churn", "told": 15, "labels": 5, "corrected": 1, "withdrawn": 2, "unmatched": 1, "waiting": 1,
    }  # fmt: skip
    assert (day["predictions"], day["labels"], day["coverage"], day["delay_p90_s"]) == (10, 3, 0.3, 7200.0)
    code, out, _ = say("churn")
    assert code == 0
    assert out.splitlines()[0] == "churn: told 15, labels 5, corrected 1, withdrawn 2, unmatched 1, waiting 1"
    assert out.splitlines()[2].split()[1:] == [
        *("1", "champion", "10", "3", "30.0%", "1.0", "min", "2.0", "h", "provisional"),
    ]


def test_labels_without_a_prediction_are_listed(say: Say) -> None:
    """With their own id, what they say and how long they wait; one that was taken back is none."""
    rows = [json.loads(line) for line in say("unmatched", "churn", "--json")[1].splitlines()]
    assert [(row["original_id"], row["value"], row["state"]) for row in rows] == [
        ("order-20", 0.5, "unmatched"),
        (None, "yes", "waiting"),
    ]
    assert rows[0]["id"] == "00000000-0000-0000-0000-000000000014"
    assert 2 * 86_400 <= rows[0]["waited_s"] < 2 * 86_400 + 600
    code, out, err = say("unmatched", "churn", "--limit", "1")
    assert (code, len(out.splitlines()), err) == (0, 1, "1 more: --limit shows them\n")
    assert out.rstrip().endswith("order-20 (00000000-0000-0000-0000-000000000014)  0.5  unmatched for 2.0 d")
    assert say("unmatched", "churn", "--since", "2100-01-01")[1] == "every label has its prediction\n"


def test_labels_of_a_deployment_that_never_predicted_are_all_unmatched(say: Say) -> None:
    """They are not lost: its name is known by its labels alone."""
    found = json.loads(say("nobody", "--json")[1])
    assert (found["labels"], found["unmatched"], found["days"]) == (1, 1, [])


def test_an_unknown_deployment_is_one_sentence(say: Say) -> None:
    """It names those that are known."""
    code, out, err = say("chrun")
    assert (code, out) == (1, "")
    assert "deployment 'chrun' is not known: it is one of churn, nobody" in err
    assert err.count("\n") == 1
