"""The keeper's threads: what one of them tells of itself is not what another does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from driftline.streams.archive.block import Block
from driftline.streams.archive.keeper import Done, Hand, Keeper
from driftline.streams.archive.place import Place
from driftline.streams.archive.tenure import Commits, Tenure
from driftline.streams.clickhouse.errors import ClickHouseAwayError


class AwayFor(Keeper):
    """A keeper whose store fails for some partitions, until they are taken out of `away`."""

    def __init__(self, hands: int, away: set[int], on_done: Callable[[Done], None]) -> None:
        self.away = away
        self.failed = threading.Event()
        super().__init__(cast("Commits", None), [cast("Hand", None)] * hands, on_done)

    def _store(self, _hand: Hand, tenure: Tenure, _block: Block) -> Any:
        if tenure.place.partition in self.away:
            self.failed.set()
            raise ClickHouseAwayError("ClickHouse does not answer")


@contextmanager
def keeping(keeper: Keeper) -> Iterator[None]:
    """Run the keeper's threads."""
    keeper.start()
    try:
        yield
    finally:
        keeper.stop(10.0)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other at once."""
    monkeypatch.setattr("driftline.streams.archive.keeper.FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("driftline.streams.archive.keeper.LONGEST_PAUSE_SECONDS", 0.01)


def give(keeper: Keeper, partition: int) -> Tenure:
    """Give the keeper one block of a partition."""
    place = Place("predictions", "life-1", partition)
    tenure = Tenure(place, "predictions")
    keeper.give(tenure, Block(place, 0, 0, [], planned=False))
    return tenure


def test_one_hands_success_does_not_hide_that_another_is_stuck() -> None:
    """While partition 0 cannot be stored, blocks of partition 1 that can leave the time since when as it was."""
    stored = threading.Event()
    keeper = AwayFor(2, {0}, lambda _: stored.set())
    with keeping(keeper):
        give(keeper, 0)
        assert keeper.failed.wait(10)
        since_s = None
        for _ in range(3):
            stored.clear()
            give(keeper, 1)
            assert stored.wait(10)
            assert keeper.away_since_s is not None
            assert since_s in (None, keeper.away_since_s)
            since_s = keeper.away_since_s


def test_a_hand_that_stores_again_is_not_away() -> None:
    """When the block that waited is stored, nothing is away any more."""
    keeper = AwayFor(2, {0}, lambda _: None)
    with keeping(keeper):
        give(keeper, 0)
        assert keeper.failed.wait(10)
        keeper.away.clear()
        assert keeper.drain(10)
        assert keeper.away_since_s is None


def test_a_partition_that_is_taken_away_is_not_waited_for() -> None:
    """A hand whose block another worker stores now tries nothing, so it reports nothing."""
    keeper = AwayFor(2, {0}, lambda _: None)
    with keeping(keeper):
        tenure = give(keeper, 0)
        assert keeper.failed.wait(10)
        tenure.alive = False
        assert keeper.drain(10)
        assert keeper.away_since_s is None
