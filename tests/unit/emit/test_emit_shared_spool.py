"""Spools of several emitters in one folder: who takes over what was left, and what room that leaves to whom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from emit_road import Road, Roads, roads

from driftline.agents.emit import owner
from driftline.agents.emit.spool import Spool

CAP_BYTES = 1 << 20
BATCH_BYTES = 10_000


@pytest.fixture
def road_to() -> Iterator[Roads]:
    """Make roads; at the end their files are closed."""
    with roads() as make:
        yield make


def spool_of(road: Road) -> Spool:
    """Return the spool of a road that has one."""
    assert road.spool is not None
    return road.spool


def left(road_to: Roads, folder: Path, epochs: range, share: float) -> int:
    """Lives end that have filled such a share of their caps; gives their rows."""
    rows = 0
    for epoch in epochs:
        road = road_to(folder, epoch=epoch, spool_bytes=CAP_BYTES)
        road.seal(int(CAP_BYTES * share / BATCH_BYTES), BATCH_BYTES)
        road.courier.give_up(road.now_s)
        spool_of(road).forget()
        rows += road.books["spooled"]
    return rows


def fill(road: Road) -> float:
    """Kafka is away, and more comes than fits; gives the share of the cap that this life wrote."""
    before = spool_of(road).size_bytes
    road.seal(CAP_BYTES // BATCH_BYTES + 1, BATCH_BYTES)
    road.pump()
    road.pump(1.5)
    assert spool_of(road).is_full
    return (spool_of(road).size_bytes - before) / CAP_BYTES


def test_spools_of_one_process_share_what_was_left(road_to: Roads, tmp_path: Path) -> None:
    """Whoever of four took what the four before them left: each has the rest of its cap, and every row is counted."""
    rows = left(road_to, tmp_path, range(1, 5), 0.3)
    four = [road_to(tmp_path, epoch=epoch, spool_bytes=CAP_BYTES) for epoch in range(5, 9)]
    assert [spool_of(road).adopt() for road in four] == [False, True, True, True]
    adopted = [one for road in four for one in spool_of(road).adopted]
    assert [len(spool_of(road).adopted) for road in four] == [3, 1, 0, 0]
    assert sum(one.ledger("predictions").book().spooled for one in adopted) == rows
    for road in four:
        assert 0.65 < fill(road) < 0.75
        assert road.books["spooled"] + road.books["in_flight"] == 10 * road.seq
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.seg")) <= 4 * CAP_BYTES


def test_no_life_after_another_writes_past_the_caps_of_all(road_to: Roads, tmp_path: Path) -> None:
    """Beside one that is full, others come and end with Kafka away: together they keep to two caps."""
    first = road_to(tmp_path, epoch=1, spool_bytes=CAP_BYTES)
    spool_of(first).adopt()
    fill(first)
    for epoch in range(2, 7):
        road = road_to(tmp_path, epoch=epoch, spool_bytes=CAP_BYTES)
        spool_of(road).adopt()
        fill(road)
        assert sum(path.stat().st_size for path in tmp_path.rglob("*.seg")) <= 2 * CAP_BYTES
        spool_of(road).forget()


def test_what_does_not_fit_is_left_for_whoever_has_room(road_to: Roads, tmp_path: Path) -> None:
    """One that follows four takes what its cap allows; the rest stays unlocked, and is taken as that is sent."""
    rows = left(road_to, tmp_path, range(1, 5), 0.6)
    road = road_to(tmp_path, epoch=5, spool_bytes=CAP_BYTES)
    spool = spool_of(road)
    assert not spool.adopt()
    assert len(spool.adopted) == 1
    waiting = owner.ownerless(tmp_path)
    assert len(waiting) == 3
    for folder in waiting:
        folder.forget()
    while spool.adopted:
        road.pump(0.1)
        road.kafka.decide("delivered")
        spool.adopt()
    assert sum(one.ledger("predictions").book().delivered for one in spool.released) == rows
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_given_up_for_what_fits_all_the_same_not(road_to: Roads, tmp_path: Path) -> None:
    """With `drop_oldest_spool`, once what another has adopted takes the whole cap, own batches stay on disk."""
    options = {"spool_bytes": CAP_BYTES, "on_full": "drop_oldest_spool"}
    one, two, three = (road_to(tmp_path, epoch=epoch, **options) for epoch in range(5, 8))
    two.seal(2, BATCH_BYTES)
    two.pump()
    two.pump(1.5)
    assert two.books["spooled"] == 20
    for road in (one, two, three):
        spool_of(road).adopt()
    left(road_to, tmp_path, range(1, 4), 0.9)
    spool_of(one).adopt()
    assert len(spool_of(one).adopted) == 3
    spool_of(three).close()
    two.seal(1, BATCH_BYTES)
    two.pump(0.1)
    assert two.books == {"delivered": 0, "spooled": 20, "in_flight": 10}
