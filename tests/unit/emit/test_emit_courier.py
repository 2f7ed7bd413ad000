"""Where a batch goes when Kafka is there, silent, failing, or back; with a Kafka that the test commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from emit_road import Roads, roads

from driftline.agents.emit.courier import WINDOW_BATCHES
from driftline.agents.emit.owner import OwnedFolder


@pytest.fixture
def road_to() -> Iterator[Roads]:
    """Make roads; at the end their files are closed."""
    with roads() as make:
        yield make


def test_healthy_kafka_sees_no_disk(road_to: Roads, tmp_path: Path) -> None:
    """While answers come, batches go straight from memory, in order, in a bounded window."""
    road = road_to(tmp_path)
    road.seal(300)
    road.pump()
    assert len(road.kafka.held) == WINDOW_BATCHES
    for _ in range(3):
        road.kafka.decide("delivered")
        road.pump(0.1)
    assert road.arrived == list(range(300))
    assert road.books == {"delivered": 3_000, "spooled": 0, "in_flight": 0}
    assert list(tmp_path.iterdir()) == []


def test_silence_brings_all_to_disk(road_to: Roads, tmp_path: Path) -> None:
    """After `stall_s` without an answer what is on its way, and what waits, lies on disk; answers then still count."""
    road = road_to(tmp_path)
    road.seal(5)
    road.pump()
    road.seal(2)
    road.pump(1.5)
    road.pump()
    assert road.books == {"delivered": 0, "spooled": 70, "in_flight": 0}
    road.kafka.decide("delivered")
    road.pump(0.1)
    road.kafka.decide("delivered")
    road.pump(0.1)
    assert road.arrived == list(range(7))
    assert road.books == {"delivered": 70, "spooled": 0, "in_flight": 0}


def test_what_is_on_its_way_is_not_read_from_disk_too(road_to: Roads, tmp_path: Path) -> None:
    """Once one answer comes, batches that still await theirs are not sent a second time from their copies on disk."""
    road = road_to(tmp_path)
    road.seal(5)
    road.pump()
    road.pump(1.5)
    road.kafka.decide("delivered", count=1)
    road.pump(0.1)
    assert len(road.kafka.held) == 4
    road.kafka.decide("delivered")
    road.pump(0.1)
    assert road.arrived == list(range(5))
    assert road.books == {"delivered": 50, "spooled": 0, "in_flight": 0}


def test_failures_are_sent_again_with_the_same_bytes(road_to: Roads, tmp_path: Path) -> None:
    """Batches that Kafka gave up, written or not, come again byte for byte, and everything arrives in order."""
    road = road_to(tmp_path)
    road.seal(4)
    road.pump()
    road.kafka.decide("failed", written=True, count=1)
    road.kafka.decide("failed")
    for _ in range(10):
        road.pump(1.0)
        road.kafka.decide("delivered")
    assert road.arrived == [0, 0, 1, 2, 3]
    assert road.books == {"delivered": 40, "spooled": 0, "in_flight": 0}


def test_one_probe_at_a_time(road_to: Roads, tmp_path: Path) -> None:
    """While Kafka fails, one batch a half second asks whether it is back; the rest waits."""
    road = road_to(tmp_path)
    road.seal(10)
    road.pump()
    for _ in range(3):
        road.kafka.decide("failed")
        road.pump()
        assert road.kafka.held == {}
        road.pump(0.6)
        assert len(road.kafka.held) == 1
    road.kafka.decide("delivered")
    road.pump()
    assert len(road.kafka.held) == 9


def test_without_a_spool_memory_keeps_it(road_to: Roads) -> None:
    """Without a spool nothing is lost either: what failed waits in memory and goes first."""
    road = road_to(None)
    road.seal(3)
    road.pump()
    road.kafka.decide("failed")
    road.seal(1)
    for _ in range(5):
        road.pump(1.0)
        road.kafka.decide("delivered")
    assert road.arrived == [0, 1, 2, 3]
    assert road.courier.flights.memory_bytes == 0


def test_new_batches_queue_behind_the_spool(road_to: Roads, tmp_path: Path) -> None:
    """While older batches lie on disk, newer ones go behind them: order holds over an outage."""
    road = road_to(tmp_path)
    road.seal(200)
    road.pump()
    road.pump(2.0)
    road.kafka.decide("failed")
    for _ in range(12):
        road.seal(5)
        road.pump(1.0)
        road.kafka.decide("delivered")
    road.pump()
    assert road.arrived == list(range(260))
    assert road.books == {"delivered": 2_600, "spooled": 0, "in_flight": 0}


def test_too_large_for_the_broker_is_dropped(road_to: Roads) -> None:
    """A message that the broker refuses for its size is not sent for ever."""
    road = road_to(None)
    road.seal(2)
    road.pump()
    road.kafka.decide("too_large", count=1)
    road.kafka.decide("delivered")
    road.pump()
    assert road.books == {"delivered": 10, "spooled": 0, "in_flight": 0, "too_large": 10}


def test_old_batches_expire_wherever_they_lie(road_to: Roads, tmp_path: Path) -> None:
    """After seven days batches on disk, in memory and given up are dropped as expired; the next ones are sent."""
    for folder in (tmp_path, None):
        road = road_to(folder)
        road.seal(3)
        road.pump()
        road.pump(2.0)
        road.kafka.decide("failed")
        road.pump(7 * 86_400 + 1)
        road.seal(1)
        for _ in range(5):
            road.pump(1.0)
            road.kafka.decide("delivered")
        assert road.arrived == [3]
        assert road.books == {"delivered": 10, "spooled": 0, "in_flight": 0, "expired": 30}


def test_a_full_spool_keeps_the_rest_in_memory(road_to: Roads, tmp_path: Path) -> None:
    """With `drop_new` what does not fit on disk stays in memory, behind it, in order."""
    road = road_to(tmp_path, spool_bytes=1 << 18)
    road.seal(40, size_bytes=10_000)
    road.pump()
    road.pump(2.0)
    assert road.spool is not None
    assert road.spool.is_full
    books = road.books
    assert books["spooled"] + books["in_flight"] == 400
    assert books["in_flight"] > 0
    for _ in range(20):
        road.kafka.decide("delivered")
        road.pump(0.5)
    assert road.arrived == list(range(40))


def test_a_full_spool_gives_up_its_oldest(road_to: Roads, tmp_path: Path) -> None:
    """With `drop_oldest_spool` new batches displace the oldest segments, which are counted; the newest arrive."""
    road = road_to(tmp_path, spool_bytes=1 << 18, on_full="drop_oldest_spool")
    road.seal(1, size_bytes=10_000)
    road.pump()
    road.kafka.decide("failed")
    road.seal(60, size_bytes=10_000)
    for _ in range(3):
        road.pump(0.1)
    lost = road.books["spool_full"]
    assert lost > 0
    for _ in range(20):
        road.pump(1.0)
        road.kafka.decide("delivered")
    assert road.books == {"delivered": 610 - lost, "spooled": 0, "in_flight": 0, "spool_full": lost}
    assert road.arrived[-20:] == list(range(41, 61))


def test_damage_on_disk_is_counted(road_to: Roads, tmp_path: Path) -> None:
    """What the spool's checksums refuse is dropped as corrupt; the books balance and the rest arrives."""
    road = road_to(tmp_path)
    road.seal(3)
    road.pump()
    road.pump(2.0)
    road.kafka.decide("failed")
    (path,) = tmp_path.rglob("*.seg")
    data = bytearray(path.read_bytes())
    data[data.rindex((1).to_bytes(8, "little") * 2)] ^= 1
    path.write_bytes(data)
    for _ in range(6):
        road.pump(1.0)
        road.kafka.decide("delivered")
    assert road.arrived == [0, 2]
    assert road.books == {"delivered": 20, "spooled": 0, "in_flight": 0, "corrupt": 10}


def test_an_adopted_spool_has_books_of_its_own(road_to: Roads, tmp_path: Path) -> None:
    """Batches of an ended life are sent beside this one's and counted apart; its folder goes when it is empty."""
    old = road_to(tmp_path, epoch=1)
    old.seal(150)
    old.pump()
    old.pump(2.0)
    assert old.spool is not None
    old.spool.forget()
    road = road_to(tmp_path, epoch=2)
    assert road.spool is not None
    road.spool.adopt()
    road.seal(1)
    for _ in range(20):
        road.pump(0.1)
        road.kafka.decide("delivered")
    (adopted,) = road.spool.released
    assert road.books == {"delivered": 10, "spooled": 0, "in_flight": 0}
    assert adopted.ledger("predictions").book().delivered == 1_500
    assert list(tmp_path.iterdir()) == []


def test_emptied_spools_are_asked_no_more_and_their_books_are_bounded(
    road_to: Roads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a hundred ended lives that were sent the last 64 books are on record, and no send looks at any again."""
    for epoch in range(1, 101):
        old = road_to(tmp_path, epoch=epoch)
        old.seal()
        old.courier.give_up(old.now_s)
        assert old.spool is not None
        old.spool.close()
    road = road_to(tmp_path, epoch=101)
    assert road.spool is not None
    road.spool.adopt()
    assert len(road.spool.adopted) == 100
    for _ in range(20):
        road.pump(0.1)
        road.kafka.decide("delivered")
    assert len(road.arrived) == 100
    assert road.spool.adopted == []
    assert [one.epoch for one in road.spool.released] == list(range(37, 101))
    assert {one.ledger("predictions").book().delivered for one in road.spool.released} == {10}
    monkeypatch.setattr(OwnedFolder, "segments", lambda _: pytest.fail("a released folder was looked at"))
    road.seal()
    road.pump()
    road.kafka.decide("delivered")
    assert len(road.arrived) == 101


def test_giving_up_leaves_the_spool_for_the_next(road_to: Roads, tmp_path: Path) -> None:
    """At the end memory goes to the spool, for the next life to send; without one it is undelivered."""
    road = road_to(tmp_path, epoch=1)
    road.seal(130)
    road.pump()
    road.courier.give_up(road.now_s)
    assert road.books == {"delivered": 0, "spooled": 1_300, "in_flight": 0}
    assert road.spool is not None
    road.spool.close()
    heir = road_to(tmp_path, epoch=2)
    assert heir.spool is not None
    heir.spool.adopt()
    for _ in range(20):
        heir.pump(0.1)
        heir.kafka.decide("delivered")
    assert heir.arrived == list(range(130))
    lonely = road_to(None)
    lonely.seal(2)
    lonely.pump()
    lonely.courier.give_up(lonely.now_s)
    assert lonely.books == {"delivered": 0, "spooled": 0, "in_flight": 0, "undelivered": 20}
