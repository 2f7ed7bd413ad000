"""A deployment that cannot be restated is tried ever more seldom, said once, and keeps nobody else waiting."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest
from cold_world import Book
from prometheus_client import CollectorRegistry

from driftline.schemas.settings import load
from driftline.streams.clickhouse.errors import ClickHouseAwayError
from driftline.streams.join.dirty import Offsets
from driftline.streams.join.hot import Hot
from driftline.streams.join.shard import Shard
from driftline.streams.metrics import AccuracyMetrics, DriftMetrics
from driftline.streams.processors import accuracy_restating, drift_restating
from driftline.streams.processors.accuracy_restating import Restating
from driftline.streams.processors.backoff import FIRST_S, MOST_S, NAMES_MAX, Backoff
from driftline.streams.processors.drift_restating import DriftRestating
from driftline.streams.processors.restater import Taken
from driftline.streams.replay.errors import ReplayError
from driftline.streams.replay.part import Failure, Part
from driftline.streams.windows.resolution import DAY_MS
from driftline.streams.windows.rules import Rules

TOO_MUCH = ReplayError("a day takes too much memory")


def test_each_wait_is_twice_the_last_and_an_hour_at_most() -> None:
    """News is the first failure, and one of another cause; success forgets all."""
    backoff, now_s, waits = Backoff(), 0.0, []
    news = []
    for _ in range(10):
        news.append(backoff.failed("a", TOO_MUCH, now_s))
        began_s = now_s
        while backoff.waits("a", now_s):
            now_s += FIRST_S / 2
        waits.append(now_s - began_s)
    assert waits == [min(FIRST_S * 2**turn, MOST_S) for turn in range(10)]
    assert news == [True] + 9 * [False]
    assert backoff.failed("a", ValueError("another"), now_s)
    backoff.succeeded("a")
    assert not backoff.waits("a", now_s)
    assert backoff.failed("a", TOO_MUCH, now_s)
    assert backoff.waiting(now_s) == {"a"}


def test_what_is_remembered_is_bounded() -> None:
    """Past the bound the one that failed longest ago may be tried."""
    backoff = Backoff()
    for number in range(NAMES_MAX + 1):
        backoff.failed(str(number), TOO_MUCH, 0.0)
    assert (backoff.waits("0", 1.0), backoff.waits("1", 1.0)) == (False, True)


class Counted:
    """In the place of the thread: what is offered, and what it gives."""

    def __init__(self, *_: object) -> None:
        self.offered: list[Any] = []
        self.taken: list[Taken[Any]] = []
        self.is_free = True

    def offer(self, task: Any) -> None:
        """Take a task."""
        self.offered.append(task)

    def take(self) -> Taken[Any] | None:
        """Give the next part."""
        return self.taken.pop(0) if self.taken else None


class Clock:
    """A monotonic clock that is set by hand."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        patch.setattr(time, "monotonic", lambda: self.now_s)


def test_accuracy_leaves_a_deployment_that_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Others are offered without it; with its labels alone left, nothing is offered until its time has come."""
    monkeypatch.setattr(accuracy_restating, "Restater", Counted)
    clock = Clock(monkeypatch)
    shard = Shard(0, Book(), Rules())
    shard.hots = {"bad": Hot("bad"), "good": Hot("good")}
    shard.hots["bad"].late.ask(0, DAY_MS, 7)
    shard.dirty.add([3])
    restating: Any = Restating(
        load({}, None), None, None, AccuracyMetrics(CollectorRegistry()), lambda _: True
    )  # type: ignore[arg-type]
    counted = restating._restater
    for turn in range(3):
        restating.offer([shard])
        assert len(counted.offered) == turn + 1
        task = counted.offered[-1]
        assert (set(task.late), task.waiting) == ({"bad"}, frozenset())
        failure = Failure(TOO_MUCH, Offsets({3}))
        counted.taken = [Taken(task, Part("bad", [], {}, set(), failure)), Taken(task, None)]
        for _ in range(2):
            restating.take({0: shard})
        assert shard.dirty.single == {3}
        clock.now_s += 1
        restating.offer([shard])
        assert len(counted.offered) == turn + 1, "its labels alone are left"
        clock.now_s += FIRST_S * 2**turn
    shard.hots["good"].late.ask(0, DAY_MS, 7)
    restating._backoff.failed("bad", TOO_MUCH, clock.now_s)
    restating.offer([shard])
    assert (set(counted.offered[-1].late), counted.offered[-1].waiting) == ({"good"}, {"bad"})
    with caplog.at_level(logging.WARNING):
        assert len([one for one in caplog.get_records("call") if "tried again" in one.message]) == 1


def test_drift_leaves_a_deployment_that_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named once, and offered again when its time has come; with ClickHouse away all wait alike."""
    monkeypatch.setattr(drift_restating, "Restater", Counted)
    monkeypatch.setattr(drift_restating, "drift_task", lambda _shard, name: name if name == "bad" else None)
    clock = Clock(monkeypatch)

    class Books:
        partition = 0
        books = ("bad", "good")

    class Task:
        deployment = "bad"

    restating: Any = DriftRestating(load({}, None), None, Rules(), DriftMetrics(CollectorRegistry()))  # type: ignore[arg-type]
    assert restating._note_failed(Task, ClickHouseAwayError("away")), "the thread says it of all"
    restating.offer({0: Books})
    assert restating._restater.offered == ["bad"]
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert not restating._note_failed(Task, TOO_MUCH)
    said = [one.message for one in caplog.records]
    assert len(said) == 1
    assert "deployment 'bad' wait" in said[0]
    restating.offer({0: Books})
    assert restating._restater.offered == ["bad"]
    clock.now_s += 2 * FIRST_S
    restating.offer({0: Books})
    assert restating._restater.offered == ["bad", "bad"]
