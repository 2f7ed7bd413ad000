"""The accuracy worker on the real Kafka and ClickHouse: killed, joined, paused; every label counts once (P3)."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from counting import batch, profile_of
from rig import Crew
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from driftline.agents.emit import Emitter
from driftline.deploy.tables.shelf import publish
from driftline.schemas.settings import Settings
from driftline.streams.clickhouse import reads
from driftline.streams.clickhouse.client import Client

DAY_MS = 86_400_000
DAYS = 3
BUSY_MS = 7_200_000
"""Part of a day that has traffic: days are what is looked at, and each five minutes with rows are a window more."""
ROWS = 600
ROUNDS = 20
DEPLOYMENTS = ("churn", "fraud", "prices")


@pytest.fixture
def tuned(lane: Settings) -> Settings:
    """Settings of a lane that publishes every second, so that a kill is likely to fall into a publication."""
    worker = msgspec.structs.replace(lane.worker, publish_seconds=1.0)
    return msgspec.structs.replace(lane, worker=worker)


class Traffic:
    """Predictions and labels of one deployment, and what must be found of them."""

    def __init__(self, settings: Settings, name: str, seed: int) -> None:
        self.draw = np.random.default_rng(seed)
        self.name = name
        self.start_ms = (round(time.time() * 1000) // DAY_MS - DAYS) * DAY_MS
        self.emitter = Emitter(name, "1", settings=settings)
        self.score: dict[str, float] = {}
        self.day: dict[str, int] = {}
        self.truth: dict[str, tuple[int, int, int | None]] = {}
        self.told = 0

    def send(self, number: int) -> None:
        """Send a round: predictions of every day, labels of this round and of earlier and later ones."""
        ids = [f"{self.name}-{number}-{row}" for row in range(ROWS)]
        score = self.draw.random(ROWS).astype(np.float32)
        day = self.draw.integers(0, DAYS, ROWS)
        at = self.start_ms + day * DAY_MS + self.draw.integers(0, BUSY_MS, ROWS)
        early = self.draw.random(ROWS) < 0.1
        self.label([one for one, is_early in zip(ids, early, strict=True) if is_early])
        self.emitter.log_many({"x": self.draw.normal(size=ROWS)}, {"score": score}, at=at, ids=ids)
        self.score.update(zip(ids, score.astype(float).tolist(), strict=True))
        self.day.update(zip(ids, day.tolist(), strict=True))
        # Some ids are predicted again, with another score: the first counts.
        self.emitter.log_many({"x": np.zeros(20)}, {"score": 1 - score[:20]}, at=at[:20], ids=ids[:20])
        known = sorted(self.score)
        self.label([known[row] for row in self.draw.integers(0, len(known), ROWS)])

    def label(self, ids: list[str]) -> None:
        """Tell labels: some correct older ones, some withdraw, some come from before what is known."""
        for one in ids:
            value = None if self.draw.random() < 0.1 else int(self.draw.random() < 0.4)
            known_at = self.start_ms + DAYS * DAY_MS + int(self.draw.integers(0, 1000))
            self.told += 1
            self.truth[one] = max(
                self.truth.get(one, (-1, -1, None)), (known_at, self.told, value), key=lambda rank: rank[:2]
            )
            if value is None:
                self.emitter.label(one, withdrawn=True, known_at=known_at)
            else:
                self.emitter.label(one, value, known_at=known_at)

    def expected(self) -> dict[int, dict[str, float]]:
        """Figures of every day by scikit-learn, on the surviving pairs."""
        found = {}
        for day in range(DAYS):
            mine = [one for one, of in self.day.items() if of == day]
            pairs = [
                (self.truth[one][2], self.score[one])
                for one in mine
                if one in self.truth and self.truth[one][2] is not None
            ]
            truth, score = np.array([one[0] for one in pairs]), np.array([one[1] for one in pairs])
            found[day] = {
                "rows": len(mine),
                "labels": len(pairs),
                "accuracy": accuracy_score(truth, score > 0.5),
                "log_loss": log_loss(truth, score),
                "auc": roc_auc_score(truth, score),
            }
        return found


def published(settings: Settings, name: str) -> dict[int, dict[str, Any]]:
    """What the accuracy worker says of every day, by metric, with bounds of the AUC."""
    chosen = reads.WindowFilter(resolution="1d", role="accuracy")
    found: dict[int, dict[str, Any]] = {}
    for row in reads.windows(settings, name, chosen):
        if row["kind"] != "performance":
            continue
        day = found.setdefault(round(row["window_start"].timestamp() * 1000), {})
        day |= {"rows": row["window_rows"], "labels": row["labels"], row["metric"]: row["value"]}
        if row["metric"] == "auc":
            day |= {"low": row["low"], "high": row["high"]}
    return found


def wrong(settings: Settings, traffic: Traffic) -> list[str]:
    """What differs between the windows and the facts of one deployment."""
    found = published(settings, traffic.name)
    faults = []
    for day, wanted in traffic.expected().items():
        has = found.get(traffic.start_ms + day * DAY_MS, {})
        same = all(has.get(name) == wanted[name] for name in ("rows", "labels", "accuracy"))
        close = same and abs(has["log_loss"] - wanted["log_loss"]) < 1e-9 * wanted["log_loss"]
        if not (close and has["low"] - 1e-12 <= wanted["auc"] <= has["high"] + 1e-12):
            faults.append(f"{traffic.name} day {day}: {has} but the facts say {wanted}")
    return faults


def test_kills_and_rebalances_count_every_label_once(tuned: Settings, crew: Crew) -> None:
    """Kill -9, a worker that joins and leaves, ids repeated, labels early, corrected, withdrawn: == the facts."""
    rng = random.Random(5)
    flows = [Traffic(tuned, name, seed) for seed, name in enumerate(DEPLOYMENTS)]
    for flow in flows:
        reference = batch(
            {"x": rng.choices(range(9), k=500)},
            scores={"score": np.random.default_rng(1).random(500)},
            dtype="float32",
        )
        profile = profile_of(reference, provenance="held-out", has_times=False)
        publish(tuned, replace(profile, deployment=flow.name))
    crew.keep("accuracy", 1)
    crew.keep("archive", 1)
    for number in range(ROUNDS):
        for flow in flows:
            flow.send(number)
        if number in (4, 8, 16):
            crew.kill(rng.choice(crew.alive("accuracy")))
            crew.keep("accuracy", 1)
        if number == 10:
            crew.keep("accuracy", 2)
        if number == 14:
            crew.leave(crew.alive("accuracy")[0])
        time.sleep(0.4)  # the load spreads over several publications; nothing waits for this
    for flow in flows:
        flow.emitter.flush(180)
        flow.emitter.close()
        assert not flow.emitter.stats().dropped
    try:
        reads.wait_until(
            lambda: not any(wrong(tuned, flow) for flow in flows),
            seconds=180,
            what="every label counted once",
        )
    except Exception as late:
        faults = [fault for flow in flows for fault in wrong(tuned, flow)]
        raise AssertionError("\n".join([*faults, crew.tails()])) from late


def test_one_window_has_a_row_of_drift_and_one_of_accuracy(tuned: Settings, crew: Crew) -> None:
    """Both roles write the same window, and neither takes the other's row away."""
    flow = Traffic(tuned, "churn", 3)
    flow.send(0)
    flow.emitter.flush(180)
    flow.emitter.close()
    for role in ("accuracy", "drift", "archive"):
        crew.keep(role, 1)

    def both() -> bool:
        with Client(tuned.clickhouse) as client:
            found = client.query(
                "SELECT window_start, groupArray(role) AS roles FROM windows_now WHERE resolution = '1d' "
                "GROUP BY window_start"
            )
        return len(found) == DAYS and all(sorted(row["roles"]) == ["", "accuracy"] for row in found)

    reads.wait_until(both, seconds=180, what="two rows of each day")
