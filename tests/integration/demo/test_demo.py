"""The demo as a stranger runs it: it ends by itself, its books balance, and it finds what is there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo_run import PARTS, Run, all_of, running, still_alive
from pyarrow import compute as pc
from pyarrow import parquet as pq
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from driftline.deploy.demo.alertmanager import PROGRAM
from driftline.deploy.local.datadir import DataDirectory

pytestmark = pytest.mark.timeout(480)

FLIGHTS = 328_521
LANDED = 327_346
MONTHS = [f"2013-{number:02d}" for number in range(1, 13)]


def test_emitted_is_delivered_is_stored(summary: dict[str, Any]) -> None:
    """Every flight that departed was emitted, delivered and stored once, and nothing was refused."""
    book = summary["emitter"]
    assert summary["events_emitted"] == book["enqueued"] == book["delivered"] == FLIGHTS
    assert summary["events_in_clickhouse"] == FLIGHTS
    assert (book["dropped"], book["spooled"], book["in_flight"], summary["dead_letters"]) == (0, 0, 0, 0)


def test_temperature_drifts_from_april_to_october_and_carriers_never(summary: dict[str, Any]) -> None:
    """By UTC months `temp` fails in April to October and is calm in winter; `carrier` fails in no month."""
    verdicts = {month: summary["drift"][month]["temp"]["verdict"] for month in MONTHS}
    assert {verdicts[month] for month in MONTHS[3:10]} == {"fail"}
    assert {verdicts["2013-01"], verdicts["2013-02"], verdicts["2013-12"]} == {"ok"}
    assert {summary["drift"][month]["carrier"]["verdict"] for month in MONTHS} == {"ok"}


def test_every_event_is_in_one_day_and_one_month(summary: dict[str, Any]) -> None:
    """366 UTC days, 53 weeks and 13 months have a window, and the months hold every flight."""
    assert summary["windows"] == 366 + 53 + 13
    assert sum(features["carrier"]["rows"] for features in summary["drift"].values()) == FLIGHTS


def test_performance_is_what_a_batch_gives(folder: Path, summary: dict[str, Any]) -> None:
    """Each month's accuracy, log loss and AUC are scikit-learn's on the same rows, and every landing is a label."""
    year = pq.read_table(folder / "year.parquet", columns=["event_time", "target", "p_late"])
    months = np.array(year["event_time"].to_numpy(), "datetime64[M]").astype(str)
    known = pc.is_valid(year["target"]).to_numpy()
    late = pc.fill_null(year["target"], fill_value=False).to_numpy()
    score = year["p_late"].to_numpy().astype(np.float32).astype(np.float64)
    found = summary["performance"]
    assert sum(month["labels"] for month in found.values()) == LANDED == known.sum()
    for month in MONTHS:
        mine = known & (months == month)
        truth, said = late[mine], score[mine]
        of = found[month]
        assert of["labels"] == mine.sum()
        assert of["coverage"] == mine.sum() / (months == month).sum()
        assert of["accuracy"] == accuracy_score(truth, said > 0.5)
        assert of["log_loss"] == pytest.approx(log_loss(truth, said), rel=1e-9)
        assert of["auc"] == pytest.approx(roc_auc_score(truth, said), abs=1e-3)
        assert of["intervals"]["auc"]["interval"] == "days"


def test_july_is_to_be_retrained_and_april_watched(summary: dict[str, Any]) -> None:
    """The refit of June gains on July's flights with its whole interval; April is down; drift alone is no reason."""
    advice = summary["advice"]
    assert list(advice) == MONTHS
    assert advice["2013-07"]["advice"] == "retrain"
    assert advice["2013-07"]["gain"]["low"] > 0
    assert advice["2013-07"]["gain"]["interval"] == "days"
    assert advice["2013-04"]["advice"] in ("watch", "retrain")
    assert summary["drift"]["2013-05"]["temp"]["verdict"] == "fail"
    assert advice["2013-05"]["advice"] == "no need"


def test_every_edge_reaches_the_receivers_once(summary: dict[str, Any]) -> None:
    """Temperature fires once and is resolved once; each edge came once and signed, some of them by Alertmanager too."""
    alerts = summary["alerts"]
    (temp,) = [
        one
        for one in alerts["list"]
        if (one["about"], one["name"], one.get("segment", "")) == ("drift", "temp", "")
    ]
    assert (temp["fired_at"], temp["severity"], temp["resolved"]) == ("2013-04", "fail", "2013-11")
    edges = alerts["fired"] + alerts["resolved"]
    assert alerts["received"] == {"edges": edges, "twice": 0, "forged": 0, "missing": 0}
    if shutil.which(PROGRAM) is not None:
        assert alerts["alertmanager"]["firing"] > 0
        assert alerts["alertmanager"]["resolved"] > 0


def test_airlines_are_told_apart(folder: Path, summary: dict[str, Any]) -> None:
    """July's rates of an airline are those of its rows, and between airlines they differ by more than chance."""
    year = pq.read_table(folder / "year.parquet", columns=["event_time", "carrier", "target", "p_late"])
    mine = (np.array(year["event_time"].to_numpy(), "datetime64[M]").astype(str) == "2013-07") & (
        np.array(year["carrier"]) == "EV"
    )
    late = pc.fill_null(year["target"], fill_value=False).to_numpy()[mine]
    said = year["p_late"].to_numpy().astype(np.float32)[mine] > 0.5
    found = summary["fairness"]["2013-07"]
    assert found["selection_rate"]["groups"]["EV"]["value"] == pytest.approx(said.mean())
    assert found["tpr"]["groups"]["EV"]["value"] == pytest.approx(said[late].mean())
    assert found["selection_rate"]["verdict"] == "fail"


def test_too_few_rows_are_no_verdict(summary: dict[str, Any]) -> None:
    """The 89 flights of the first hours of 2014 are inconclusive, never ok."""
    assert {cell["verdict"] for cell in summary["drift"]["2014-01"].values()} == {"inconclusive"}


def test_no_request_is_lost_while_what_answers_changes(summary: dict[str, Any]) -> None:
    """Every request is answered by a version, each of the three at its time; eight times what is asked was changed."""
    answered = summary["change"]["answered"]
    assert summary["failed_requests"] == 0
    assert summary["requests"] == sum(answered.values()) > 1_000
    assert set(answered) == {"1", "2", "3"}
    # Shadow, canary, its promotion, the old one as a shadow; the bad one as both, its promotion, and back.
    assert summary["swaps"] == 8


def test_what_advice_had_retrained_is_promoted_by_two_people(summary: dict[str, Any]) -> None:
    """July's advice started the trainer; windows of canary and champion passed; nobody approved what they asked for."""
    told = summary["change"]
    assert told["advice"] == {"month": "2013-07", "advice": "retrain"}
    promotion = told["promotion"]
    assert len(set(promotion["approvers"]) - {promotion["asked"]}) == 2
    checks = {one["name"]: one["passed"] for one in promotion["passed"]["checks"]}
    assert checks == dict.fromkeys(("performance", "estimate", "prediction", "errors", "latency"), True)


def test_the_promoted_version_is_better_on_the_same_flights(folder: Path, summary: dict[str, Any]) -> None:
    """The rest of July: AUC surely, log loss on these flights; the old one answers as it did in the year."""
    compared = summary["change"]["comparison"]
    assert compared["slots"] == {"1": "shadow", "2": "champion"}
    auc, loss = (compared["figures"][name] for name in ("auc", "log_loss"))
    assert auc["low"] > 0
    assert loss["gain"] > 0
    assert auc["interval"] == "days"
    assert compared["since"] in ("2013-07-11", "2013-07-12")
    year = pq.read_table(folder / "year.parquet", columns=["event_time", "target", "p_late"])
    days = np.array(year["event_time"].to_numpy(), "datetime64[D]").astype(str)
    mine = (days >= compared["since"]) & (days < "2013-08-01") & pc.is_valid(year["target"]).to_numpy()
    late = pc.fill_null(year["target"], fill_value=False).to_numpy()[mine]
    # A shadow may be left out where its queue is full, which is counted, and costs no caller.
    assert 0.98 * mine.sum() <= compared["rows"] <= mine.sum()
    assert auc["first"] == pytest.approx(roc_auc_score(late, year["p_late"].to_numpy()[mine]), abs=0.01)


def test_a_bad_version_is_taken_back_by_itself(summary: dict[str, Any]) -> None:
    """Windows of its first days were worse than those of the champion before it, and say in which metric."""
    back = summary["change"]["back"]
    # A machine that is busy with other tests may find it slower before its labels have come.
    worse = r"gone back, worse than the champion before: (performance|latency) \(worse: (auc|p50|p95) "
    said = re.match(worse, back["reason"])
    assert said is not None, back["reason"]
    assert not next(one["passed"] for one in back["checks"] if one["name"] == said[1])


def test_the_audit_is_verified_and_a_changed_byte_is_found(folder: Path, summary: dict[str, Any]) -> None:
    """All records hold with their signatures; the copy differs in one byte, and its record is named."""
    audit = summary["audit"]
    assert audit["fault"] is None
    assert audit["verified"] == audit["records"] > 50
    assert audit["signatures"] > 20
    assert 0 < audit["witnessed"] <= audit["records"]
    assert audit["tampered_found_at"] == audit["tampered_at"] == summary["change"]["promotion"]["seq"]
    own, copy = (
        (folder / "control" / name / "records.ndjson").read_bytes() for name in ("audit", "audit-tampered")
    )
    assert sum(one != other for one, other in zip(own, copy, strict=True)) == 1


def test_the_output_speaks_to_a_stranger(folder: Path) -> None:
    """What is printed names what drifted, that drift is not failure, and what to do next, in 80 columns."""
    text = (folder.parents[1] / "output.txt").read_text()
    for words in (
        "temp in Apr, May",
        "Drift is not failure",
        "no data is no verdict",
        "driftline profile build",
        "a valid signature",
        "the gain is the answer",
        "Changed while it serves",
        "taken back by itself",
        "verification stops at record",
    ):
        assert words in text.replace("\n", " ")
    assert max(map(len, text.splitlines())) <= 80


def test_nothing_is_left_running(run: Run) -> None:
    """Without --keep no process outlives the demo: not the stack's supervisor, nor Alertmanager, nor an agent."""
    assert len(run.processes) >= 1 + len(PARTS) + (shutil.which(PROGRAM) is not None)
    assert still_alive(run.processes, 0) == []


def test_a_killed_demo_leaves_nothing_running(tmp_path: Path) -> None:
    """Kill -9 of the demo ends its stack too, in order."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "driftline.deploy.cli", "demo"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    directory = DataDirectory(tmp_path / ".driftline" / "demo")
    state = running(directory, demo)
    assert state is not None, f"the stack did not come up (exit code {demo.poll()})"
    processes = all_of(state, demo)
    demo.kill()
    demo.wait(10)
    assert still_alive(processes, 60) == []
    assert not directory.is_held()
