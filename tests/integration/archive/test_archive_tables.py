"""What lies in ClickHouse after one archive worker: every table, its views, and dead letters sent again."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Producer
from prometheus_client import CollectorRegistry
from real_stack import TestStack

from driftline.schemas import codec
from driftline.schemas.columns import (
    Category,
    Gap,
    Identity,
    LabelColumns,
    NumericBlock,
    PredictionColumns,
    pack_labels,
    pack_predictions,
)
from driftline.schemas.partition import partition_of
from driftline.schemas.settings import Settings, producer_config
from driftline.schemas.window import Figure, WindowResult
from driftline.streams.archive import office
from driftline.streams.archive.office import LetterError, LetterFilter, letter_name
from driftline.streams.clickhouse import reads
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.errors import MigrationError
from driftline.streams.clickhouse.migrate import migrate, pending, shipped
from driftline.streams.metrics import ArchiveMetrics
from driftline.streams.processors import archive

NOW_MS = 1_750_000_000_000
DAY_MS = 86_400_000


@contextmanager
def archiving(settings: Settings) -> Iterator[CollectorRegistry]:
    """Run an archive in a thread of this process; gives its metrics."""
    registry, stopping = CollectorRegistry(), threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            archive.run(settings, stopping, ArchiveMetrics(registry))
        except BaseException as error:  # noqa: BLE001 - raised again in the test's thread
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield registry
    finally:
        stopping.set()
        thread.join(60)
    assert not failures, failures


def send(
    settings: Settings, topic: str, *records: tuple[bytes | None, bytes], partition: int | None = None
) -> None:
    """Send records of (key, value) and wait for their acknowledgement."""
    producer = Producer(producer_config(settings.kafka))
    for key, value in records:
        where = {} if partition is None else {"partition": partition}
        producer.produce(settings.kafka.topic_prefix + topic, value, key, **where)
    assert producer.flush(30) == 0


def rows_of(settings: Settings, sql: str) -> list[dict[str, Any]]:
    """Run a query."""
    with Client(settings.clickhouse) as client:
        return client.query(sql)


def wait_for(settings: Settings, table: str, count: int) -> None:
    """Wait until a table has so many rows."""
    reads.wait_until(
        lambda: rows_of(settings, f"SELECT count() AS n FROM {table}")[0]["n"] >= count,
        seconds=60,
        what=f"{count} rows of {table}",
    )


def batch(seq: int = 0, deployment: str = "churn", **over: Any) -> PredictionColumns:
    """A batch of three rows with every kind of column."""
    given: dict[str, Any] = {
        "deployment": deployment,
        "model_version": "7",
        "slot": "champion",
        "rows": 3,
        "identity": Identity("here", 1, seq),
        "ids": np.frombuffer(os.urandom(48), np.uint8).reshape(3, 16),
        "original_ids": ["a", None, "c"],
        "times_ms": np.array([0, NOW_MS, NOW_MS + 1], np.int64),
        "features": [
            NumericBlock(("temp", "wind"), np.array([[0.1, np.nan, np.inf], [1, 2, np.nan]], np.float32)),
            NumericBlock(("big",), np.array([[2**53 - 1, 0.1, -0.0]])),
        ],
        "categories": [Category("carrier", ("AA", "ÜA"), np.array([1, -1, 0], np.int32))],
        "gaps": [
            Gap("wind", np.array([False, False, True]), None),
            Gap("carrier", None, np.array([False, True, False])),
        ],
        "scores": [NumericBlock(("score",), np.array([[0.5, 0.25, np.nan]], np.float32))],
        "predicted": Category("predicted", ("yes",), np.array([0, -1, 0], np.int32)),
        "segments": [Category("country", ("fr",), np.array([0, 0, -1], np.int32))],
        "latency_ms": np.array([1.5, np.nan, 2], np.float32),
        "status": Category("status", ("ok",), np.array([0, 0, 0], np.int32)),
    }
    return PredictionColumns(**{**given, **over})


def test_predictions_are_stored_bit_for_bit(lane: Settings) -> None:
    """Each value is read back as it travelled, so that a window can be recomputed exactly; 1970 and 2025 at once."""
    sent = batch()
    send(lane, "predictions", (b"churn", pack_predictions(sent)))
    with archiving(lane):
        wait_for(lane, "prediction_lookup", 3)
    rows = rows_of(lane, "SELECT *, float_list, double_list, category_list, id FROM predictions ORDER BY ts")
    assert [row["prediction_id"] for row in rows] == [sent.ids[at].tobytes() for at in range(3)]
    assert [np.float32(row["floats"][0]).tobytes() for row in rows] == [
        v.tobytes() for v in sent.features[0].values[0]
    ]
    assert [list(row["doubles"]) for row in rows] == [[2.0**53 - 1], [0.1], [-0.0]]
    assert [list(row["categories"]) for row in rows] == [["ÜA"], [None], ["AA"]]
    assert [list(row["nulls"]) for row in rows] == [[], [], ["wind"]]
    assert [list(row["wrong"]) for row in rows] == [[], ["carrier"], []]
    assert [row["predicted"] for row in rows] == ["yes", None, "yes"]
    assert [list(row["segments"]) for row in rows] == [["fr"], ["fr"], [None]]
    assert [row["latency_ms"] for row in rows] == [1.5, None, 2.0]
    assert [row["original_id"] for row in rows] == ["a", None, "c"]
    assert (list(rows[0]["float_list"]), list(rows[0]["double_list"])) == (["temp", "wind"], ["big"])
    assert rows[0]["id"].bytes == sent.ids[0].tobytes()


def test_ten_years_shuffled_are_one_block(lane: Settings) -> None:
    """P7: events of 120 months in one block are taken; nothing limits the partitions of an insert."""
    months = np.arange(120, dtype=np.int64) * 30 * DAY_MS + NOW_MS - 3600 * DAY_MS
    wide = PredictionColumns(
        "churn",
        "7",
        "champion",
        120,
        None,
        np.zeros((120, 16), np.uint8),
        None,
        np.random.default_rng(1).permutation(months),
    )
    send(lane, "predictions", (b"churn", pack_predictions(wide)))
    with archiving(lane):
        wait_for(lane, "blocks", 1)
    assert rows_of(lane, "SELECT uniq(toYYYYMM(ts)) > 110 AS many, count() AS n FROM predictions") == [
        {"many": 1, "n": 120}
    ]


def test_labels_keep_their_history_and_show_what_holds(lane: Settings) -> None:
    """A corrected label replaces, a later withdrawal takes back; an older one that comes late changes nothing."""
    ids = np.zeros((3, 16), np.uint8)
    ids[1:, 0] = 1

    def label(seq: int, known_ms: int, number: float | None) -> bytes:
        withdrawn = number is None
        return pack_labels(
            LabelColumns(
                "churn",
                1,
                Identity("here", 1, seq),
                ids[:1],
                None,
                np.array([known_ms], np.int64),
                None if withdrawn else np.array([number]),
                None,
                np.array([True]) if withdrawn else None,
            )
        )

    send(
        lane,
        "labels",
        (b"churn", label(0, NOW_MS, 1.0)),
        (b"churn", label(1, NOW_MS + 10, 2.0)),
        (b"churn", label(2, NOW_MS + 5, 9.0)),
        (b"churn", label(1, NOW_MS + 10, 2.0)),
    )
    with archiving(lane):
        wait_for(lane, "labels", 3)
        assert [(r["number"], r["withdrawn"]) for r in rows_of(lane, "SELECT * FROM labels_now")] == [
            (2.0, False)
        ]
        send(lane, "labels", (b"churn", label(3, NOW_MS + 20, None)))
        wait_for(lane, "labels", 4)
    assert [(r["number"], r["withdrawn"]) for r in rows_of(lane, "SELECT * FROM labels_now")] == [
        (None, True)
    ]
    assert rows_of(lane, "SELECT count() AS n FROM batches WHERE topic = 'labels'")[0]["n"] == 4


def window(absorbed: int, value: float | None, *, final: bool = False) -> bytes:
    """A result of one day."""
    return WindowResult(
        deployment="churn",
        model_version="7",
        slot="champion",
        resolution="1d",
        window_start_ms=NOW_MS // DAY_MS * DAY_MS,
        window_end_ms=NOW_MS // DAY_MS * DAY_MS + DAY_MS,
        profile_digest="abc",
        partition=2,
        absorbed=absorbed,
        final=final,
        restated=False,
        rows=500,
        watermark_ms=NOW_MS,
        counts=b"\xff\x00counts",
        computed_at_ms=NOW_MS,
        figures=[
            Figure("drift", "temp", "psi", value, 0.01, 0.1, None, "warn", "null: iid", 500, 10_000, 0.01),
            Figure("rows", "", "rows", 500.0),
        ],
    ).to_bytes()


def test_the_newest_version_of_a_window_is_read(lane: Settings) -> None:
    """The greatest version holds, whatever came last; counts are the bytes that travelled."""
    send(
        lane,
        "windows",
        (b"churn", window(10, 0.5)),
        (b"churn", window(12, None, final=True)),
        (b"churn", window(11, 0.7)),
    )
    with archiving(lane):
        wait_for(lane, "blocks", 1)
    figures = reads.windows(lane, "churn", reads.WindowFilter(resolution="1d"))
    assert [(row["metric"], row["value"], row["verdict"], row["final"]) for row in figures] == [
        ("psi", None, "warn", True),
        ("rows", 500.0, None, True),
    ]
    assert figures[0]["thresholds"] == {"null": 0.01, "floor": 0.1, "block": None}
    [stored] = reads.window_counts(lane, "churn")
    assert (stored["counts"], stored["absorbed"], stored["version"]) == (b"\xff\x00counts", 12, 27)
    assert reads.auto_resolution(lane, "churn", reads.WindowFilter(), 200) == "1d"
    assert reads.windows(lane, "churn", reads.WindowFilter(until_ms=NOW_MS // DAY_MS * DAY_MS)) == []
    assert (
        len(
            reads.windows(
                lane, "churn", reads.WindowFilter(since_ms=NOW_MS // DAY_MS * DAY_MS, feature="temp")
            )
        )
        == 1
    )


def heartbeat(time_ms: int, delivered: int) -> bytes:
    """A heartbeat of an emitter that has sealed two batches."""
    book = {
        "topic": "predictions",
        "next_seq": 2,
        "announced_rows": 6,
        "enqueued": 6,
        "delivered": delivered,
        "spooled": 0,
        "in_flight": 6 - delivered,
        "dropped": {"invalid": 0},
    }
    return codec.encode(
        "EmitterStatus",
        {
            "instance": "here",
            "epoch": 1,
            "deployment": "churn",
            "model_version": "7",
            "slot": "champion",
            "host": "box",
            "pid": 1,
            "time_ms": time_ms,
            "started_ms": NOW_MS,
            "closed": False,
            "books": [book],
            "adopted": [
                {
                    "instance": "old",
                    "epoch": 0,
                    "topic": "labels",
                    "spooled": 4,
                    "delivered": 1,
                    "dropped": {},
                }
            ],
            "oldest_spooled_ms": None,
        },
    )


def test_the_ledger_holds_emitters_to_what_lies_here(lane: Settings) -> None:
    """P4: the newest heartbeat beside the rows stored, and the holes in the sequence numbers."""
    send(lane, "emitter-status", (b"here", heartbeat(NOW_MS, 3)), (b"here", heartbeat(NOW_MS + 1, 6)))
    send(lane, "predictions", (b"churn", pack_predictions(batch(1))), (b"churn", pack_predictions(batch(1))))
    with archiving(lane):
        wait_for(lane, "batches", 1)
        wait_for(lane, "emitters_now", 1)
        [row] = rows_of(lane, "SELECT * FROM ledger")
        assert (row["delivered"], row["stored_rows"], row["stored_batches"], row["missing_batches"]) == (
            6,
            3,
            1,
            1,
        )
        send(lane, "predictions", (b"churn", pack_predictions(batch(0))))
        wait_for(lane, "batches", 2)
    [row] = rows_of(lane, "SELECT * FROM ledger")
    assert (row["stored_rows"], row["missing_batches"]) == (6, 0)
    assert rows_of(lane, "SELECT instance, adopter_instance, spooled FROM adopted_spools_now") == [
        {"instance": "old", "adopter_instance": "here", "spooled": 4}
    ]


def test_dead_letters_are_sent_again_and_stay_one(lane: Settings) -> None:
    """A letter that is still bad stays one row with one more attempt; one whose fault is mended turns `mended`."""
    home = partition_of(b"churn", lane.kafka.partitions)
    away = (home + 1) % lane.kafka.partitions
    send(lane, "predictions", (b"churn", b"\xff\x00 not avro"))
    # The bytes are good, the producer's partitioner was not: sent again with ours it is taken.
    send(lane, "predictions", (b"churn", pack_predictions(batch())), partition=away)
    with archiving(lane) as registry:
        wait_for(lane, "dead_letters_now", 2)
        listed = office.letters(lane, LetterFilter(), 10)
        assert {row["reason"] for row in listed} == {"bad_magic", "wrong_partition"}
        found = office.retry(lane, LetterFilter(), 30.0)
        assert (found.sent, found.mended, found.refused, found.waiting) == (2, 1, 1, 0)
        assert [(row["reason"], row["attempts"]) for row in office.letters(lane, LetterFilter(), 10)] == [
            ("bad_magic", 2)
        ]
        [bad] = office.letters(lane, LetterFilter(), 10)
        again = office.retry(lane, LetterFilter(name=letter_name(bad)), 30.0)
        assert (again.sent, again.mended, again.refused) == (1, 0, 1)
        assert office.letters(lane, LetterFilter(), 10)[0]["attempts"] == 3
        with pytest.raises(LetterError, match="no open dead letter matches"):
            office.retry(lane, LetterFilter(reason="wrong_partition"), 1.0)
    assert rows_of(lane, "SELECT count() AS n FROM dead_letters_now")[0]["n"] == 2
    assert reads.counts(lane)["predictions"] == 3
    labels = {"topic": "predictions", "reason": "bad_magic"}
    assert registry.get_sample_value("driftline_archive_dead_letters_total", labels) == 3.0


def test_what_nobody_can_read_in_the_dead_letter_topic_is_kept(lane: Settings) -> None:
    """Junk in the dead-letter topic itself becomes a row and goes round no second time."""
    send(lane, "dead-letter", (b"x", b"junk"), (b"x", b"more junk"))
    with archiving(lane):
        wait_for(lane, "dead_letters_now", 2)
    assert {row["topic"] for row in office.letters(lane, LetterFilter(), 10)} == {"dead-letter"}
    assert rows_of(lane, "SELECT max(last) AS last FROM blocks WHERE topic = 'dead-letter'") == [{"last": 1}]


def test_a_half_applied_migration_is_finished(stack: TestStack) -> None:
    """A crash between two statements leaves tables without the file's mark: running again finishes it, once."""
    settings = stack.lane("half")
    with Client(settings.clickhouse) as client:
        client.command("TRUNCATE TABLE schema_migrations")
        client.command("DROP VIEW figures")
    assert pending(settings) == [migration.file_name for migration in shipped()]
    assert migrate(settings) == [migration.file_name for migration in shipped()]
    assert (migrate(settings), pending(settings)) == ([], [])
    assert reads.windows(settings, "churn") == []


def test_an_edited_migration_stops_the_worker(stack: TestStack) -> None:
    """The archive starts on the tables of its release or not at all, with one sentence."""
    settings = stack.lane("edited")
    with Client(settings.clickhouse) as client:
        client.command(
            "INSERT INTO schema_migrations (number, name, checksum) VALUES (1, 'predictions', 'other')"
        )
    with pytest.raises(MigrationError, match=r"0001_predictions.sql was edited after it was applied"):
        archive.wait_for_tables(settings, threading.Event())
