"""`driftline advice` and `driftline changes` on a real ClickHouse: windows, two versions, labels, a table."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from archiving import archiving, send
from counting import batch, profile_of
from sklearn.metrics import log_loss, roc_auc_score

from driftline.agents.emit import Emitter
from driftline.deploy.cli import main
from driftline.deploy.local.environment import variables
from driftline.deploy.tables.shelf import publish
from driftline.schemas.settings import Settings
from driftline.schemas.window import Figure, WindowResult
from driftline.streams.clickhouse import reads
from driftline.streams.clickhouse.client import Client

DAY_MS = 86_400_000
MONTHS = (1_372_636_800_000, 1_375_315_200_000, 1_377_993_600_000)
"""July and August of 2013, and the end of August."""
ROWS = 2_400
Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(
    lane: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Say:
    """Return a caller of `driftline` on a lane: code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    for name, value in variables(lane).items():
        monkeypatch.setenv(name, value)

    def call(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def stream() -> pd.DataFrame:
    """Return two months of predictions: the live model is poor, the challenger better, and some labels are missing."""
    draw = np.random.default_rng(11)
    frame = pd.DataFrame({"at": np.sort(draw.integers(MONTHS[0], MONTHS[2], ROWS))})
    frame["id"] = [f"booking {row}" for row in range(ROWS)]
    hidden = draw.normal(size=ROWS)
    frame["truth"] = (draw.random(ROWS) < 1 / (1 + np.exp(-hidden))).astype(int)
    frame["labelled"] = draw.random(ROWS) < 0.97
    for name, noise in (("live", 2.0), ("challenger", 0.5), ("table", 2.2)):
        frame[name] = (1 / (1 + np.exp(-(hidden + draw.normal(0, noise, ROWS))))).round(3)
    return frame


def months() -> list[WindowResult]:
    """Return what the workers say of the two months: in July performance fell, in August it holds; temp drifts."""
    found = []
    for number, verdict in enumerate(("fail", "ok")):
        value = 0.60 if verdict == "fail" else 0.71
        span = {"window_start_ms": MONTHS[number], "window_end_ms": MONTHS[number + 1]}
        for role, figures in (
            ("drift", [Figure("drift", "temp", "psi", 0.9, 0.01, 0.1, 0.5, "fail", "", 1_200, 5_000, 0.01)]),
            ("accuracy", [Figure(
                "performance", "", "auc", value, block=0.71, verdict=verdict, rows=1_200, reference_rows=5_000,
                low=value - 0.03, high=value + 0.03, interval="days",
            )]),
        ):  # fmt: skip
            found.append(WindowResult(
                "flights", "1", "champion", "1M", **span, profile_digest="", partition=0, absorbed=number,
                final=True, restated=False, rows=1_200, watermark_ms=MONTHS[2], counts=b"", computed_at_ms=0,
                figures=figures, role=role, labels=1_164 if role == "accuracy" else 0,
            ))  # fmt: skip
    return found


def days() -> list[WindowResult]:
    """Return ninety days whose mean temperature steps up by three sigmas after sixty, and a week that is open."""
    draw = np.random.default_rng(2)
    found = []
    for day in range(90):
        figure = Figure(
            "drift", "temp", "mean_sigma", float(draw.normal(0 if day < 60 else 3, 0.4)), rows=200
        )
        start = MONTHS[0] + (day - 60) * DAY_MS
        found.append(WindowResult(
            "flights", "1", "champion", "1d", start, start + DAY_MS, "", 0, day, final=True, restated=False,
            rows=200, watermark_ms=MONTHS[2], counts=b"", computed_at_ms=0, figures=[figure],
        ))  # fmt: skip
    return [*found, replace(found[-1], resolution="7d", final=False)]


def fill(lane: Settings, frame: pd.DataFrame) -> None:
    """Send everything by the ways that applications and workers use, and wait until the archive has it."""
    draw = np.random.default_rng(0)
    reference = batch({"temp": draw.normal(size=900)}, scores={"score": draw.random(900).round(3)})
    for version in ("1", "2"):
        profile = profile_of(reference, provenance="held-out", has_times=False)
        publish(lane, replace(profile, deployment="flights", model_version=version))
    inputs = {"temp": draw.normal(size=ROWS)}
    for version, slot, name in (("1", "champion", "live"), ("2", "challenger", "challenger")):
        with Emitter("flights", version, slot=slot, settings=lane) as emitter:
            scores = {"score": frame[name].to_numpy()}
            emitter.log_many(inputs, scores, at=frame["at"].to_numpy(), ids=frame["id"].tolist())
            assert emitter.flush(180)
    told = frame[frame["labelled"]]
    with Emitter("flights", "1", settings=lane) as emitter:
        emitter.label_many(
            told["id"].tolist(), told["truth"].to_numpy(), known_at=told["at"].to_numpy() + DAY_MS
        )
        assert emitter.flush(180)
    send(lane, "windows", *((b"flights", one.to_bytes()) for one in [*months(), *days()]))
    with archiving(lane):
        reads.wait_until(lambda: _is_there(lane, len(told)), seconds=180, what="that all rows are stored")


def _is_there(lane: Settings, labels: int) -> bool:
    with Client(lane.clickhouse) as client:
        found = client.query(
            "SELECT (SELECT count() FROM predictions) AS predictions, (SELECT count() FROM labels) AS labels, "
            "(SELECT count() FROM windows) AS windows"
        )[0]
    return found == {"predictions": 2 * ROWS, "labels": labels, "windows": len(months()) + len(days())}


def test_the_whole_road_of_advice(lane: Settings, say: Say) -> None:
    """Month by month with the challenger, then with a table; the gain is that of the paired rows; errors are a line."""
    frame = stream()
    fill(lane, frame)
    code, out, err = say("advice", "flights", "--json")
    assert code == 0, err
    july, august = (json.loads(line) for line in out.splitlines())
    assert [july["advice"], august["advice"]] == ["retrain", "no need"]
    assert [july["since"], august["since"]] == ["2013-07-01T00:00:00Z", "2013-08-01T00:00:00Z"]
    assert [reason["code"] for reason in july["reasons"]] == [
        "performance fell", "a refit helps", "important inputs drifted",
    ]  # fmt: skip
    mine = frame[(frame["at"] < MONTHS[1]) & frame["labelled"]]
    better = roc_auc_score(mine["truth"], mine["challenger"]) - roc_auc_score(mine["truth"], mine["live"])
    assert july["gain"]["value"] == pytest.approx(better, abs=1e-9)
    assert (july["gain"]["candidate"], july["gain"]["rows"], july["gain"]["days"]) == ("2", len(mine), 31)
    assert july["gain"]["low"] > 0
    assert july["fell"]["metric"] == "auc"
    assert july["features"][0]["feature"] == "temp"
    assert july["expected_per_year"] > 0

    frame[["id", "table"]].rename(columns={"table": "score"}).to_csv("refit.csv", index=False)
    code, out, err = say("advice", "flights", "--candidate", "refit.csv", "--until", "2013-08-01", "--json")
    assert code == 0, err
    watch = json.loads(out)
    assert (watch["advice"], watch["reasons"][0]["code"]) == ("watch", "a refit does not help")
    assert watch["gain"]["candidate"] == "refit.csv"
    worse = roc_auc_score(mine["truth"], mine["table"]) - roc_auc_score(mine["truth"], mine["live"])
    assert watch["gain"]["value"] == pytest.approx(worse, abs=1e-9)
    # The ids that driftline made of the application's own do as well.
    with Client(lane.clickhouse) as client:
        made = client.query("SELECT original_id, toString(id) AS id FROM predictions WHERE slot = 'champion'")
    by_id = pd.DataFrame(made).merge(frame, left_on="original_id", right_on="id")
    by_id.rename(columns={"id_x": "prediction_id", "challenger": "p_late"})[
        ["prediction_id", "p_late"]
    ].to_parquet("refit.parquet")
    code, out, err = say("advice", "flights", "--candidate", "refit.parquet", "--json")
    assert code == 0, err
    assert json.loads(out.splitlines()[0])["gain"]["value"] == pytest.approx(better, abs=1e-9)
    assert log_loss(mine["truth"], mine["challenger"]) < log_loss(mine["truth"], mine["live"])

    code, out, err = say("advice", "flights")
    assert code == 0, err
    assert "2013-07  retrain  auc -.110  auc +" in out
    assert "2013-08, flights version 1: NO NEED, performance holds (since 2013-08)." in out

    code, out, err = say("changes", "flights", "--json")
    assert code == 0, err
    change = json.loads(out)
    assert (change["feature"], change["metric"]) == ("temp", "mean_sigma")
    assert change["since"] == "2013-07-01T00:00:00Z"
    assert change["after"] == pytest.approx(3, abs=0.5)
    assert "temp mean_sigma" in say("changes", "flights", "--feature", "temp")[1]

    pd.DataFrame({"id": ["a", "b"], "score": [0.1, 0.2]}).to_csv("others.csv", index=False)
    for words, said in (
        (("advice", "fligths"), "deployment 'fligths' is not known: it is one of flights"),
        (("advice", "flights", "--version", "9"), "of version '9': it has those of 1"),
        (("advice", "flights", "--resolution", "7d"), "choose one of 1d, 1M with --resolution"),
        (("advice", "flights", "--since", "2014-01-01"), "leave --since and --until away"),
        (("advice", "flights", "--candidate", "others.csv"), "others.csv has no id of a labelled window"),
        (("changes", "flights", "--feature", "wind"), "has no feature 'wind': it is one of temp"),
        (("changes", "flights", "--resolution", "1h"), "has no window of 1h: it has 1d, 7d, 1M"),
        (("changes", "flights", "--version", "9"), "has no window of 1d of version '9': it has those of 1"),
        (
            ("changes", "flights", "--since", "2014-01-01"),
            "in what was asked: there are windows from 2013-05-02 00:00 on",
        ),
    ):
        code, _, err = say(*words)
        assert (code, len(err.splitlines())) == (1, 1), err
        assert said in err
