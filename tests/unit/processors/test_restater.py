"""The thread that restates: it waits for the archive, outlives its absence, and hands parts over in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import msgspec
import pytest

from driftline.schemas.settings import Settings, load
from driftline.streams.clickhouse import reads
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.errors import ClickHouseAwayError
from driftline.streams.join.dirty import Offsets
from driftline.streams.processors.restater import Restater, Taken
from driftline.streams.replay.part import Part
from driftline.streams.replay.tasks import JoinTask

TASK = JoinTask(0, (7, 3), {}, Offsets({3}), {})


@pytest.fixture
def settings() -> Settings:
    """Settings that let the thread rest for a moment only."""
    given = load({}, None)
    worker = msgspec.structs.replace(given.worker, publish_seconds=0.01)
    return msgspec.structs.replace(given, worker=worker)


def work(_client: Client, _task: JoinTask, _settled: Callable[[], None]) -> Iterator[Part]:
    """Two parts."""
    yield Part("a", [], {}, set())
    yield Part("b", [], {}, set())


def wait(reached: Callable[[], object]) -> None:
    """Wait until something is so, for ten seconds at most."""
    deadline = time.monotonic() + 10
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def all_of(one: Restater[JoinTask]) -> list[Taken[JoinTask]]:
    """Take until the word that all was given."""
    found: list[Taken[JoinTask]] = []
    while not found or found[-1].part is not None:
        wait(lambda: (taken := one.take()) is not None and (found.append(taken) or True))
    return found


def test_parts_come_in_order_and_then_the_word_that_all_was_given(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task is counted when the archive has passed its positions; the thread is free once all of it was taken."""
    stored = {"predictions": {0: 7}, "labels": {0: 3}}
    monkeypatch.setattr(reads, "positions", lambda _settings, topic: stored[topic])
    one: Restater[JoinTask] = Restater(settings, work)
    assert one.is_free
    one.offer(TASK)
    assert not one.is_free
    found = all_of(one)
    assert [taken.part and taken.part.deployment for taken in found] == ["a", "b", None]
    assert all(taken.task is TASK for taken in found)
    wait(lambda: one.is_free)
    one.stop()


def test_an_archive_that_is_behind_or_away_is_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task for which the archive is not far enough, or does not answer, gives nothing, and can be offered again."""
    answers: list[dict[int, int] | Exception] = [{0: 7}, {0: 2}, ClickHouseAwayError("away"), {0: 7}, {0: 3}]

    def positions(_settings: Settings, _topic: str) -> dict[int, int]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(reads, "positions", positions)
    one: Restater[JoinTask] = Restater(settings, work)
    for left in (3, 2):
        one.offer(TASK)
        wait(lambda: one.is_free)
        assert one.take() is None
        assert len(answers) == left
    one.offer(TASK)
    assert len(all_of(one)) == 3
    one.stop()
