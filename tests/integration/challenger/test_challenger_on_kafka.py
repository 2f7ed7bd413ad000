"""A challenger and a retraining worker on a real Kafka."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archiving import archiving, rows_of, send
from packaged import KEYS, packed
from real_stack import TestStack

from driftline.agents.challenger import sending
from driftline.agents.challenger.admitted import admitted
from driftline.agents.challenger.scoring import Scorer
from driftline.agents.challenger.worker import Challenger
from driftline.agents.retrain.commands import Commands, Entry
from driftline.agents.retrain.memory import Memory
from driftline.agents.retrain.worker import follow
from driftline.schemas.advice import Advice
from driftline.schemas.codec import DEFAULT_MAX_BYTES
from driftline.schemas.columns import pack_predictions, read_predictions
from driftline.schemas.settings import Settings
from driftline.schemas.settings_packages import Packages
from driftline.schemas.shapes import Identity, NumericBlock, PredictionColumns
from driftline.streams.clickhouse import reads

ROWS, BATCHES = 50, 20
STOP_S = 15.0


def events(seq: int, slot: str = "champion") -> bytes:
    """A sealed batch of the champion."""
    draw = np.random.default_rng(seq)
    return pack_predictions(
        PredictionColumns(
            deployment="churn", model_version="1", slot=slot, rows=ROWS,
            identity=Identity(f"here-{slot}", 1, seq), ids=draw.integers(0, 256, (ROWS, 16), dtype=np.uint8),
            original_ids=None, times_ms=np.full(ROWS, 1_750_000_000_000 + seq, np.int64),
            features=[NumericBlock(("age", "income", "visits"), draw.normal(size=(3, ROWS)))],
        )
    )  # fmt: skip


@contextmanager
def running(work: Callable[[threading.Event], None]) -> Any:
    """Run something in a thread until the block ends; what it raises fails the test."""
    stopping, failures = threading.Event(), []

    def whole() -> None:
        try:
            work(stopping)
        except BaseException as error:  # noqa: BLE001 - raised in the test's thread
            failures.append(error)

    thread = threading.Thread(target=whole)
    thread.start()
    try:
        yield failures
    finally:
        stopping.set()
        thread.join(60)
    assert not failures, failures


def until(done: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something, for a bounded time."""
    deadline_s = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_each_event_is_answered_once_through_a_crash(
    lane: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is scored again after a crash, or sent again by an emitter, is stored once, in the same partition."""
    packed(tmp_path / "made")
    sent = [(b"churn", events(seq)) for seq in range(BATCHES)]
    send(lane, "predictions", *sent, sent[3], (b"churn", events(0, "shadow")))
    packages = Packages(cache_dir=str(tmp_path / "cache"))
    with admitted(tmp_path / "made" / "package", KEYS, packages) as (manifest, model):
        scorer = Scorer(manifest, model, time.monotonic)

        def lost(*_: object, **__: object) -> None:
            """This one dies before it commits."""

        first = Challenger(lane.kafka, "churn", manifest, scorer)
        with monkeypatch.context() as patched:
            consumer = first._consumer
            patched.setattr(first, "_consumer", Deaf(consumer, lost))
            with running(first.run):
                until(lambda: first.tally.batches > BATCHES)
        second = Challenger(lane.kafka, "churn", manifest, scorer)
        with running(second.run):
            until(lambda: second.tally.batches > BATCHES)
            send(lane, "predictions", (b"churn", events(BATCHES)))
            until(lambda: second.tally.batches > BATCHES + 1)
        third = Challenger(lane.kafka, "churn", manifest, scorer)
        send(lane, "predictions", (b"churn", events(BATCHES + 1)))
        with running(third.run):
            until(lambda: third.tally.batches == 1)
    wanted = (BATCHES + 2) * ROWS
    with archiving(lane):
        reads.wait_until(
            lambda: _count(lane, "challenger") >= wanted, seconds=180, what="the challenger's rows"
        )
    assert (_count(lane, "challenger"), _count(lane, "champion"), _count(lane, "shadow")) == (
        wanted,
        wanted,
        ROWS,
    )
    both = rows_of(
        lane,
        "SELECT uniqExact(prediction_id) AS ids, uniqExact(src_partition) AS places, count() AS rows, "
        "countIf(status = 'ok' AND scores[1] > 0) AS scored FROM predictions WHERE slot IN ('champion', 'challenger')",
    )[0]
    assert (both["ids"], both["places"], both["rows"], both["scored"]) == (wanted, 1, 2 * wanted, wanted)


def test_a_broker_that_goes_away_with_a_batch_on_its_way_ends_nothing(
    stack: TestStack,
    lane: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it did not acknowledge is sent again once it is back, and each event is stored once."""
    assert stack.kafka is not None
    packed(tmp_path / "made")
    monkeypatch.setattr(sending, "ANSWER_S", 1.0)
    sent, send_one = [], sending.Sending._send

    def noted(self: sending.Sending, number: int) -> None:
        sent.append(number)
        send_one(self, number)

    monkeypatch.setattr(sending.Sending, "_send", noted)
    packages = Packages(cache_dir=str(tmp_path / "cache"))
    with admitted(tmp_path / "made" / "package", KEYS, packages) as (manifest, model):
        challenger = Challenger(lane.kafka, "churn", manifest, Scorer(manifest, model, time.monotonic))
        with running(challenger.run):
            send(lane, "predictions", (b"churn", events(0)))
            until(lambda: challenger.tally.batches == 1)
            take, acknowledged = challenger._take, threading.Event()

            def away(message: Any) -> None:
                if message.value() == events(1):
                    assert acknowledged.wait(60)
                    stack.kafka.pause()
                take(message)

            monkeypatch.setattr(Challenger, "_take", lambda _, message: away(message))
            send(lane, "predictions", (b"churn", events(1)))
            acknowledged.set()
            try:
                until(lambda: len(sent) > len(set(sent)), 120)
            finally:
                stack.kafka.resume()
            send(lane, "predictions", (b"churn", events(2)))
            until(lambda: challenger.tally.batches == 3)
    with archiving(lane):
        reads.wait_until(
            lambda: _count(lane, "challenger") >= 3 * ROWS, seconds=180, what="the challenger's rows"
        )
    assert _count(lane, "challenger") == 3 * ROWS


def test_a_broker_that_hangs_holds_no_stop(
    stack: TestStack, lane: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that hangs after it acknowledged and before it has the position delays a stop by ten seconds."""
    assert stack.kafka is not None
    packed(tmp_path / "made")
    settle, hung = sending.Sending.settle, threading.Event()

    def then_hung(self: sending.Sending, stopping: threading.Event) -> bool:
        settled = settle(self, stopping)
        stack.kafka.pause()
        hung.set()
        return settled

    monkeypatch.setattr(sending.Sending, "settle", then_hung)
    packages = Packages(cache_dir=str(tmp_path / "cache"))
    with admitted(tmp_path / "made" / "package", KEYS, packages) as (manifest, model):
        challenger = Challenger(lane.kafka, "churn", manifest, Scorer(manifest, model, time.monotonic))
        try:
            with running(challenger.run):
                send(lane, "predictions", (b"churn", events(0)))
                assert hung.wait(60)
                asked_s = time.monotonic()
            stopped_s = time.monotonic() - asked_s
        finally:
            stack.kafka.resume()
    assert stopped_s < STOP_S


def test_a_batch_that_leaves_no_room_for_an_answer_ends_nothing(lane: Settings, tmp_path: Path) -> None:
    """Whoever may write events may write one as large as a message may be: it is counted, and the next is answered."""
    packed(tmp_path / "made")
    bare = replace(read_predictions(events(0)), features=[], original_ids=[None] * ROWS)
    spare = DEFAULT_MAX_BYTES - len(pack_predictions(bare)) - 10
    full = replace(bare, original_ids=["i" * spare, *[None] * (ROWS - 1)])
    send(lane, "predictions", (b"churn", pack_predictions(full)), (b"churn", events(1)))
    packages = Packages(cache_dir=str(tmp_path / "cache"))
    with admitted(tmp_path / "made" / "package", KEYS, packages) as (manifest, model):
        challenger = Challenger(lane.kafka, "churn", manifest, Scorer(manifest, model, time.monotonic))
        with running(challenger.run):
            until(lambda: challenger.tally.batches == 1)
    assert (challenger.tally.unread, challenger.tally.rows, challenger.tally.errors) == (1, ROWS, 0)


class Deaf:
    """A consumer whose commits reach nobody."""

    def __init__(self, consumer: Any, commit: Any) -> None:
        self._consumer, self.commit = consumer, commit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)


def _count(lane: Settings, slot: str) -> int:
    return int(rows_of(lane, f"SELECT count() AS n FROM predictions WHERE slot = '{slot}'")[0]["n"])


def test_advice_runs_its_command_once(lane: Settings, tmp_path: Path) -> None:
    """An edge that is read again after a restart, or within the cool-down of another, starts nothing more."""

    def advice(name: str, word: str = "retrain") -> bytes:
        return Advice(
            deployment="churn", model_version="1", slot="champion", resolution="1M", window_start_ms=0,
            window_end_ms=1, advice=word, reasons=(), fell=None, gains=(), features=(), since_ms=0,  # type: ignore[arg-type]
            labels=0, coverage=None, expected_per_year=None, id=name, made_at_ms=time.time_ns() // 1_000_000,
        ).to_bytes()  # fmt: skip

    file = tmp_path / "runs"
    code = f"import os; open({str(file)!r}, 'a').write(os.environ['DRIFTLINE_RETRAIN_ADVICE'] + chr(10))"
    entry = Entry(deployments=("churn",), argv=(sys.executable, "-c", code), folder=str(tmp_path))
    commands = Commands(commands={"churn": entry})
    state = tmp_path / "memory.json"

    def work(stopping: threading.Event) -> None:
        follow(lane.kafka, commands, Memory(state), {}, stopping)

    send(
        lane, "alerts", (b"churn", advice("one", "watch")), (b"churn", advice("two")), (b"churn", b"rubbish")
    )
    with running(work):
        # Opened is not written: a worker that is stopped ends a command that still runs.
        until(lambda: file.exists() and file.read_text() != "")
    send(lane, "alerts", (b"churn", advice("two")), (b"churn", advice("three")))
    with running(work):
        until(lambda: Memory(state).is_answered("three"))
    assert file.read_text() == "two\n"
