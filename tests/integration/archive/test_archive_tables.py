"""What lies in ClickHouse after one archive worker: every table, its views, and dead letters sent again."""

from __future__ import annotations

import numpy as np
from archiving import NOW_MS, archiving, batch, rows_of, send, wait_for

from driftline.schemas import codec
from driftline.schemas.columns import Identity, LabelColumns, PredictionColumns, pack_labels, pack_predictions
from driftline.schemas.settings import Settings
from driftline.schemas.window import Figure, WindowResult
from driftline.streams.clickhouse import reads

DAY_MS = 86_400_000


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
