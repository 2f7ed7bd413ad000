"""P4 on the real broker: away from the start, killed midway, spool full, no spool; every row is accounted for."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from emit_rig import Topics, spooled, values, wait_for

from driftline.agents.emit import Emitter
from driftline.deploy.local.kafka import KafkaBroker


def sequence(batches: list[Any]) -> list[int]:
    """Sequence numbers in the order of the log."""
    return [batch.identity.seq for batch in batches]


def test_broker_away_from_the_start(broker: KafkaBroker, topics: Topics, tmp_path: Path) -> None:
    """What is logged while no broker is there goes to the spool and, when one comes, arrives whole and in order."""
    broker.kill()
    with Emitter("fraud", "7", settings=topics.settings, spool_dir=tmp_path, stall_s=0.2) as emitter:
        for at in range(3_000):
            emitter.log({"a": float(at)}, at=1_700_000_000_000 + at)
        emitter.label(b"0123456789abcdef", 1.0)
        wait_for(lambda: emitter.stats().spooled == 3_001, "not everything was spooled")
        assert emitter.stats().in_flight == 0
        assert emitter.stats().oldest_spooled_ms == 1_700_000_000_000
        kept = spooled(tmp_path)
        broker.start()
        assert emitter.flush(180)
        stats = emitter.stats()
    assert stats.ledger() == {
        "enqueued": 3_001,
        "delivered": 3_001,
        "dropped": {},
        "spooled": 0,
        "in_flight": 0,
    }
    batches = topics.batches()
    assert sequence(batches) == list(range(len(batches)))
    assert values(batches) == list(range(3_000))
    assert topics.rows("labels") == 1
    sent = {message.value for topic in ("predictions", "labels") for message in topics.messages(topic)}
    assert sent == set(kept), "the spool sent other bytes than it held"
    assert list(tmp_path.iterdir()) == []


def test_broker_killed_midway(broker: KafkaBroker, topics: Topics, tmp_path: Path) -> None:
    """The broker dies by SIGKILL twice under load: the books balance at each moment, and each row is counted once."""
    emitter = Emitter("fraud", "7", settings=topics.settings, spool_dir=tmp_path, stall_s=0.3)
    stop = threading.Event()
    logged = 0
    unbalanced: list[object] = []

    def load() -> None:
        nonlocal logged
        while not stop.is_set():
            for _ in range(20):
                emitter.log({"a": float(logged)})
                logged += 1
            books = emitter.stats().topics
            unbalanced.extend(book for book in books.values() if book.balance)
            stop.wait(0.005)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        for _ in range(2):
            time.sleep(1.0)
            broker.kill()
            time.sleep(1.5)
            broker.start()
    finally:
        stop.set()
        thread.join()
    assert emitter.flush(180)
    stats = emitter.stats()
    emitter.close()
    assert unbalanced == []
    assert stats.ledger() == {
        "enqueued": logged,
        "delivered": logged,
        "dropped": {},
        "spooled": 0,
        "in_flight": 0,
    }
    batches = topics.batches()
    assert sorted(sequence(batches)) == list(range(len(batches)))
    found = values(batches)
    assert sorted(found) == list(range(logged))


def test_without_a_spool_memory_holds_and_then_refuses(broker: KafkaBroker, topics: Topics) -> None:
    """Without a spool rows wait in memory up to the cap, and the rest is refused."""
    broker.kill()
    with Emitter("fraud", "7", settings=topics.settings, buffer_events=2_000) as emitter:
        for at in range(5_000):
            emitter.log({"a": float(at)})
        wait_for(lambda: emitter.stats().away, "the emitter did not notice")
        stats = emitter.stats()
        assert stats.ledger() == {
            "enqueued": 5_000,
            "delivered": 0,
            "dropped": {"buffer_full": 3_000},
            "spooled": 0,
            "in_flight": 2_000,
        }
        broker.start()
        assert emitter.flush(180)
        assert emitter.stats().delivered == 2_000
    assert topics.rows() == 2_000


def test_full_spool_refuses_new_events(broker: KafkaBroker, topics: Topics, tmp_path: Path) -> None:
    """With `drop_new` a full spool keeps the oldest; memory fills behind it and new rows are refused as spool_full."""
    broker.kill()
    caps = {"spool_bytes": 1 << 18, "buffer_events": 2_000}
    with Emitter("fraud", "7", settings=topics.settings, spool_dir=tmp_path, stall_s=0.1, **caps) as emitter:
        wide = {f"f{at}": 0.5 for at in range(20)}
        count = 0

        def is_full() -> bool:
            nonlocal count
            for _ in range(500):
                emitter.log({**wide, "f0": float(count)})
                count += 1
            return emitter.stats().dropped.get("spool_full", 0) >= 1_000

        wait_for(is_full, "the spool never filled")
        stats = emitter.stats()
        assert stats.total.balance == 0
        assert stats.spool_bytes <= 1 << 18
        assert sum(path.stat().st_size for path in tmp_path.glob("*/*.seg")) <= 1 << 18
        broker.start()
        assert emitter.flush(180)
        stats = emitter.stats()
    assert stats.delivered + sum(stats.dropped.values()) == stats.enqueued == count
    batches = topics.batches()
    assert sequence(batches) == list(range(len(batches)))
    found = values(batches)
    assert len(found) == stats.delivered
    assert found[:2_000] == list(range(2_000))


def test_full_spool_loses_the_oldest(broker: KafkaBroker, topics: Topics, tmp_path: Path) -> None:
    """With `drop_oldest_spool` a full spool gives up its oldest segments: the newest rows arrive."""
    broker.kill()
    options = {"spool_bytes": 1 << 18, "on_full": "drop_oldest_spool", "stall_s": 0.1}
    with Emitter("fraud", "7", settings=topics.settings, spool_dir=tmp_path, **options) as emitter:
        wide = {f"f{at}": 0.5 for at in range(20)}
        count = 0

        def is_full() -> bool:
            nonlocal count
            for _ in range(500):
                emitter.log({**wide, "f0": float(count)})
                count += 1
            return emitter.stats().dropped.get("spool_full", 0) >= 1_000

        wait_for(is_full, "the spool never filled")
        wait_for(lambda: not emitter._life._courier.flights.outbox, "the rest was not spooled")
        broker.start()
        assert emitter.flush(180)
        stats = emitter.stats()
    assert set(stats.dropped) == {"spool_full"}
    assert stats.delivered + stats.dropped["spool_full"] == count
    found = values(topics.batches())
    assert len(found) == stats.delivered
    assert sorted(found)[-1_000:] == list(range(count - 1_000, count))


def test_an_old_spool_expires(broker: KafkaBroker, topics: Topics, tmp_path: Path) -> None:
    """Batches that waited longer than the greatest age are dropped as expired."""
    broker.kill()
    options = {"stall_s": 0.1, "spool_age_s": 1.0, "kafka": {"message.timeout.ms": 2_000}}
    with Emitter("fraud", "7", settings=topics.settings, spool_dir=tmp_path, **options) as emitter:
        for at in range(500):
            emitter.log({"a": float(at)})
        wait_for(lambda: emitter.stats().dropped.get("expired") == 500, "nothing expired")
        broker.start()

        def a_young_one_arrives() -> bool:
            # One that finds the producer still connecting anew grows too old as well: the next one may not.
            emitter.log({"a": -1.0})
            assert emitter.flush(180)
            return emitter.stats().delivered > 0

        wait_for(a_young_one_arrives, "nothing was delivered")
        assert emitter.stats().total.balance == 0
    assert set(values(topics.batches())) == {-1}
