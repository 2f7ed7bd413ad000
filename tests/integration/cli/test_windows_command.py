"""`driftline windows` on a real ClickHouse: what it reads, and what it says when there is nothing to read."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from driftline.deploy.cli import main, windows
from driftline.deploy.local.environment import variables
from driftline.schemas.settings import Settings
from driftline.schemas.window import Figure, WindowResult
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.reads import WindowFilter
from driftline.streams.clickhouse.results import results
from driftline.streams.clickhouse.window_rows import window_rows

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
MARCH = 1_362_096_000_000

Say = Callable[..., tuple[int, str, str]]


def result(resolution: str, start_ms: int, end_ms: int, rows: int, psi: float, verdict: str) -> WindowResult:
    """Return one window with one figure that carries a verdict and one that carries none."""
    verdict = verdict if rows else "inconclusive"
    figures = [
        Figure("drift", "temp", "psi", psi, 0.001, 0.25, 0.5, verdict, "why", rows, 50_000, 0.001),
        Figure("drift", "temp", "js", 0.2, rows=rows, reference_rows=50_000),
    ]
    return WindowResult(
        deployment="flights",
        model_version="1",
        slot="champion",
        resolution=resolution,
        window_start_ms=start_ms,
        window_end_ms=end_ms,
        profile_digest="d",
        partition=0,
        absorbed=start_ms,
        final=True,
        restated=False,
        rows=rows,
        watermark_ms=end_ms,
        counts=b"",
        computed_at_ms=end_ms,
        figures=figures,
    )


@pytest.fixture
def say(lane: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Fill the windows of a lane and return a caller of `driftline windows` on it: code, stdout, stderr."""
    days = [result("1d", MARCH + i * DAY_MS, MARCH + (i + 1) * DAY_MS, 900, 0.1 * i, "ok") for i in range(3)]
    days.append(result("1d", MARCH + 3 * DAY_MS, MARCH + 4 * DAY_MS, 900, 0.9, "fail"))
    hours = [result("1h", MARCH + i * HOUR_MS, MARCH + (i + 1) * HOUR_MS, 40, 0.1, "ok") for i in range(24)]
    results = [*days, *hours]
    now_ms = time.time_ns() // 1_000_000  # retention counts from arrival
    with Client(lane.clickhouse) as client:
        client.insert(
            "windows", window_rows(results, list(range(len(results))), [now_ms] * len(results)), "test"
        )
    for name, value in variables(lane).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["windows", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_json_lines_hold_the_figures(say: Say) -> None:
    """Each figure of each window is one JSON object, those without a verdict too; auto took the days."""
    code, out, err = say("flights", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert len(lines) == 4 * 2
    last = [line for line in lines if line["metric"] == "psi"][-1]
    assert last["verdict"] == "fail"
    assert last["resolution"] == "1d"
    assert last["thresholds"] == {"null": 0.001, "floor": 0.25, "block": 0.5}
    assert last["window_start"] == "2013-03-04T00:00:00Z"
    assert (last["rows"], last["reference_rows"], last["final"], last["restated"]) == (
        900,
        50_000,
        True,
        False,
    )


def test_the_table_names_what_drifted(say: Say) -> None:
    """A person sees the day, the feature, its figure and the limit it exceeds."""
    code, out, _ = say("flights", "--since", "2013-03-03")
    assert code == 0
    assert "FAIL" in out
    assert "0.900" in out
    assert "2013-03-02" not in out
    assert out.splitlines()[-1] == "2 windows of 1d: 1 FAIL, 1 ok"


def test_a_resolution_can_be_asked_for(say: Say) -> None:
    """--resolution takes the windows of that width, whatever auto would take."""
    assert say("flights", "--resolution", "1h")[1].splitlines()[-1] == "24 windows of 1h: 24 ok"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["churn"], "deployment 'churn' is not known: it is one of flights"),
        (["flights", "--feature", "dewp"], "with feature 'dewp': it is one of temp"),
        (["flights", "--version", "2"], "with version '2': it is one of 1"),
        (["flights", "--resolution", "5m"], "has no window of 5m: leave --resolution away"),
        (
            ["flights", "--since", "2014-01-01"],
            "there are windows from 2013-03-01 00:00 to 2013-03-05 00:00 UTC",
        ),
    ],
)
def test_what_is_not_there_is_named_in_one_sentence(say: Say, arguments: list[str], sentence: str) -> None:
    """An unknown deployment, version, feature, width or time is one sentence that names what is; exit 1."""
    code, out, err = say(*arguments)
    assert (code, out) == (1, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_more_than_can_be_held_is_one_sentence(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    """A year of five minutes is counted before it is read."""
    monkeypatch.setattr(windows, "FIGURES_MAX", 8)
    assert say("flights", "--resolution", "1d")[0] == 0
    code, out, err = say("flights", "--resolution", "1h")
    assert (code, out) == (1, "")
    assert "has 48 figures of 1h in what was asked, at most 8 are shown: give --since" in err


def test_a_value_of_a_segment_has_its_own_labels(say: Say, lane: Settings) -> None:
    """They are what the window tells of it, in the view too, whatever is asked for; the window keeps those of all."""
    figures = [
        Figure("performance", "", "coverage", 0.9, rows=100),
        Figure("performance", "", "coverage", 0.25, rows=40, segment="carrier=UA"),
        Figure("performance", "", "coverage", None, rows=0, segment="carrier=DL"),
        Figure("performance", "", "auc", 0.7, rows=10, segment="carrier=UA"),
        Figure("fairness", "carrier", "tpr", 0.5, rows=9, segment="carrier=UA"),
        Figure("fairness", "carrier", "tpr", 0.5, rows=9, segment="carrier=DL"),
        Figure("performance", "", "auc", 0.7, rows=90),
    ]
    month = result("1M", MARCH, MARCH + 31 * DAY_MS, 100, 0.1, "ok")
    own = replace(month, role="accuracy", labels=90, figures=figures)
    now_ms = time.time_ns() // 1_000_000
    with Client(lane.clickhouse) as client:
        client.insert("windows", window_rows([month, own], [90, 91], [now_ms] * 2), "months")
        rows = client.query(
            "SELECT segment, labels, coverage, window_labels FROM figures WHERE metric = 'tpr'"
        )
    assert [tuple(row.values()) for row in rows] == [
        ("carrier=UA", 10, 0.25, 90),
        ("carrier=DL", 90, 0.9, 90),
    ]
    lines = [json.loads(line) for line in say("flights", "--resolution", "1M", "--json")[1].splitlines()]
    assert [(line["segment"], line["labels"], line["coverage"]) for line in lines] == [
        *[("", 0, None)] * 2,
        ("", 90, 0.9),
        ("carrier=UA", 10, 0.25),
        ("carrier=DL", 90, 0.9),
        *[("carrier=UA", 10, 0.25)] * 2,
        ("carrier=DL", 90, 0.9),
        ("", 90, 0.9),
    ]
    chosen = WindowFilter(resolution="1M", role="accuracy", metrics=("tpr",))
    assert [one.labels for one in results(lane, "flights", chosen)] == [90]
