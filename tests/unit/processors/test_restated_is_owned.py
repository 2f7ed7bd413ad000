"""What was restated is published by the owner of the partition alone, and days are stored before their weeks."""

from __future__ import annotations

from typing import Any

import pytest
from cold_world import World, batch, truth
from prometheus_client import CollectorRegistry

from driftline.schemas.settings import load
from driftline.streams.join.shard import Shard
from driftline.streams.metrics import AccuracyMetrics
from driftline.streams.processors import accuracy_restating
from driftline.streams.processors.accuracy_restating import Restating
from driftline.streams.processors.restater import Taken
from driftline.streams.replay.tasks import JoinTask
from driftline.streams.windows.rules import Rules


class Store:
    """Takes what is sent, in order: the state as `state`, windows as `windows`."""

    name = "state"

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, records: Any) -> int:
        """Take records."""
        topics = [record[0] for record in records]
        self.sent += topics
        return len(topics)


class Counted:
    """In the place of the thread: gives what was counted before."""

    def __init__(self, *_: object) -> None:
        self.taken: list[Taken[JoinTask]] = []
        self.is_free = True

    def offer(self, _task: JoinTask) -> None:
        """Take a task."""

    def take(self) -> Taken[JoinTask] | None:
        """Give the next part."""
        return self.taken.pop(0) if self.taken else None


def restated(monkeypatch: pytest.MonkeyPatch, *, is_owner: bool) -> tuple[Store, Shard]:
    """Restate a late label, and take all of it; gives what was sent, and the shard."""
    world, store = World(Rules(hot_windows=1, kept_days=90)), Store()
    world.archive.stand_in(monkeypatch)
    monkeypatch.setattr(accuracy_restating, "Restater", Counted)
    shard = world.begin()
    for day in (0, 60):
        world.predict(shard, batch(0, day, 0, "days"))
        world.publish(shard)
    world.archive.truths.append(truth(0, 0, 1, 1))
    shard.take_labels(0, world.archive.truths[0], 0)
    assert world.offer(shard)
    assert world.running is not None
    task, parts = world.running
    restating: Any = Restating(
        load({}, None), world.book, store, AccuracyMetrics(CollectorRegistry()), lambda _shard: is_owner
    )  # type: ignore[arg-type]
    restating.offer([shard])
    restating._restater.taken = [*(Taken(task, part) for part in parts), Taken(task, None)]
    for _ in range(len(parts) + 1):
        restating.take({0: shard})
    return store, shard


def test_days_are_stored_before_their_weeks_are_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that dies in between leaves a state that is no older than what it published."""
    store, shard = restated(monkeypatch, is_owner=True)
    assert store.sent == ["windows", "state", *["windows"] * 2]
    assert not shard.dirty


def test_a_worker_that_was_put_out_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its results and days would lie over those of its successor, which restates the same itself."""
    store, shard = restated(monkeypatch, is_owner=False)
    assert store.sent == []
    assert shard.dirty
