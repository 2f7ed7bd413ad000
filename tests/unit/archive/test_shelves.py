"""From a record to an entry or a letter, for every topic."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import msgspec
import numpy as np
import pytest
from advised import labels
from bad_windows import OneBook, window
from confluent_kafka import Message
from rubbish import KINDS

from driftline.schemas import codec
from driftline.schemas.advice import Advice
from driftline.schemas.columns import Identity, NumericBlock, PredictionColumns, pack_predictions
from driftline.schemas.deployment import AlertRule
from driftline.schemas.partition import partition_of
from driftline.schemas.refusal import Refused
from driftline.streams.alerts.desk import Desk
from driftline.streams.archive import letter
from driftline.streams.archive.letter import Retry, retry_header, retry_of
from driftline.streams.archive.reader import _headers
from driftline.streams.archive.record import Record
from driftline.streams.archive.shelves import SHELVES, Terms, mended, take

TERMS = Terms(partitions=4, future_ms=600_000)
NOW_MS = 1_750_000_000_000
DAY = window(0, 0, {"x": "fail"})
HOME = partition_of(b"churn", 4)


def batch(times_ms: int = NOW_MS) -> bytes:
    """A sealed batch of two rows."""
    return pack_predictions(
        PredictionColumns(
            deployment="churn",
            model_version="1",
            slot="champion",
            rows=2,
            identity=Identity("here", 1, 5),
            ids=np.zeros((2, 16), np.uint8),
            original_ids=None,
            times_ms=np.array([times_ms, NOW_MS], np.int64),
            features=[NumericBlock(("age",), np.ones((1, 2), np.float32))],
        )
    )


def record(
    value: bytes, *, key: bytes | None = b"churn", partition: int = HOME, headers: letter.Headers = ()
) -> Record:
    """A record of predictions."""
    return Record("predictions", partition, 7, NOW_MS, key, value, headers)


def reason(made: Record) -> str | None:
    """Why it is refused; None when it is not."""
    entry = take(SHELVES["predictions"], made, TERMS)
    assert (entry.letter is None) == (entry.content is not None)
    return None if entry.letter is None else entry.letter.reason


def test_a_good_batch_becomes_an_entry() -> None:
    """Rows, deployment and seal are what duplicates and tables go by."""
    entry = take(SHELVES["predictions"], record(batch()), TERMS)
    assert (entry.rows, entry.deployment, entry.identity, entry.letter) == (
        2,
        "churn",
        Identity("here", 1, 5),
        None,
    )


def travels(held: letter.Letter) -> int:
    """Bytes of a letter as it is sent; raises when it cannot be."""
    return len(codec.encode("DeadLetter", held.record(NOW_MS, "archive")))


@pytest.mark.parametrize("part", ["key", "value", "headers"])
def test_a_record_that_no_letter_holds_is_told_of(part: str) -> None:
    """What was compressed may be larger than any letter: then the letter says how large, and travels without it."""
    for size, is_whole in ((letter.MOST_BYTES - 1_000, True), (30_000_000, False)):
        much = b"\0" * size
        given = {"key": b"churn", "headers": (), part: (("much", much),) if part == "headers" else much}
        value = given.pop("value", b"rubbish")
        entry = take(SHELVES["predictions"], record(value, **given), TERMS)
        assert entry.letter is not None
        assert travels(entry.letter) < codec.max_bytes("DeadLetter")
        assert (entry.letter.value == value) == is_whole
        assert ("more than a dead letter holds" in entry.letter.detail) != is_whole


@pytest.mark.parametrize(
    "over",
    [
        {"absorbed": 2**63 - 1, "version": 0},
        {"rows": -1},
        {"window_end_ms": 2**63 - 1},
        {"window_start_ms": 2**40},
        {"watermark_ms": 2**62},
        {"computed_at_ms": 2**62},
    ],
    ids=str,
)
def test_a_window_that_cannot_be_stored_is_refused(over: dict[str, int]) -> None:
    """Numbers that a record can carry and no row can hold, or that mean no time, become a letter as they are read."""
    held = replace(DAY, **over).to_bytes()
    entry = take(SHELVES["windows"], Record("windows", 0, 7, NOW_MS, b"churn", held, ()), TERMS)
    assert entry.letter is not None
    assert (entry.letter.reason, entry.letter.value) == ("impossible_value", held)


def test_a_heartbeat_of_no_time_is_refused() -> None:
    """A time past the year 2199 is none that a table of months could hold."""
    status = {
        "instance": "a", "epoch": 1, "deployment": "churn", "model_version": "1", "slot": "champion", "host": "h",
        "pid": 1, "started_ms": NOW_MS, "time_ms": 2**62, "heartbeat_ms": 1, "closed": False, "buffer_bytes": 0,
        "buffer_cap_rows": 1, "spool_bytes": 0, "oldest_spooled_ms": None, "adopted": [],
        "books": [{
            "topic": "predictions", "next_seq": 1, "announced_rows": 1, "enqueued": 1, "delivered": 1, "spooled": 0,
            "in_flight": 0, "dropped": {},
        }],
    }  # fmt: skip
    for time_ms, is_refused in ((NOW_MS, False), (2**62, True)):
        held = codec.encode("EmitterStatus", {**status, "time_ms": time_ms})
        entry = take(SHELVES["emitter-status"], Record("emitter-status", 0, 7, NOW_MS, b"a", held, ()), TERMS)
        assert (entry.letter is not None) == is_refused, entry.letter


def test_a_name_that_is_no_text_leaves_no_headers() -> None:
    """The client cannot give headers whose names are no UTF-8: the record goes on without them, and stalls nothing."""

    class Hostile:
        def headers(self) -> None:
            raise SystemError("<method 'headers'> returned a result with an exception set")

    assert _headers(cast("Message", Hostile())) == ()


@pytest.mark.parametrize("kind", KINDS)
def test_no_bad_bytes_are_taken(kind: str) -> None:
    """Each kind of rubbish becomes a letter with the whole message in it, and raises nothing."""
    entry = take(SHELVES["predictions"], record(KINDS[kind]), TERMS)
    assert entry.letter is not None
    assert (entry.letter.value, entry.letter.key, entry.letter.offset, entry.rows) == (
        KINDS[kind],
        b"churn",
        7,
        0,
    )


def test_a_key_that_is_not_the_deployment_is_refused() -> None:
    """Another key, or none, would place the deployment elsewhere."""
    assert reason(record(batch(), key=b"fraud")) == "wrong_key"
    assert reason(record(batch(), key=None)) == "wrong_key"


def test_a_partition_that_is_not_the_keys_is_refused() -> None:
    """A producer with another partitioner is found by its first record."""
    assert reason(record(batch(), partition=(HOME + 1) % 4)) == "wrong_partition"


def test_the_future_begins_after_the_allowance() -> None:
    """An event at the allowance is taken, one beyond it refuses the batch."""
    assert reason(record(batch(NOW_MS + 600_000))) is None
    assert reason(record(batch(NOW_MS + 600_001))) == "future"


def test_a_readers_own_fault_stalls_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error nobody foresaw becomes a letter too; the record is kept and shown."""
    monkeypatch.setattr("driftline.streams.windows.intake.read", lambda *_: 1 / 0)
    entry = take(SHELVES["predictions"], record(batch()), TERMS)
    assert entry.letter is not None
    assert "ZeroDivisionError" in entry.letter.detail


def test_a_retry_that_is_still_bad_keeps_its_first_name() -> None:
    """The letter is named by where the record first lay, not by where it lies now."""
    mark = Retry("predictions", 2, 41, "bad_bytes", 1)
    entry = take(
        SHELVES["predictions"], record(b"no", headers=((letter.RETRY_HEADER, retry_header(mark)),)), TERMS
    )
    assert entry.letter is not None
    assert (entry.letter.topic, entry.letter.partition, entry.letter.offset) == ("predictions", 2, 41)
    assert retry_of(entry.letter.headers) == mark


def test_a_retry_that_is_taken_closes_its_letter() -> None:
    """The row of the letter turns `mended`, with one more attempt."""
    mark = Retry("predictions", 2, 41, "bad_bytes", 1)
    entry = take(
        SHELVES["predictions"], record(batch(), headers=((letter.RETRY_HEADER, retry_header(mark)),)), TERMS
    )
    [(table, rows)] = mended(HOME, [entry])
    row = rows.to_pylist()[0]
    assert (table, row["partition"], row["offset"], row["state"], row["attempts"]) == (
        "dead_letters",
        2,
        41,
        "mended",
        2,
    )


def test_edges_and_advice_of_one_topic_have_a_table_each() -> None:
    """A block of `alerts` becomes rows of `alerts` and of `advice`, each with its offset; none of a kind, no table."""
    desk = Desk("t", OneBook(alerts=AlertRule(k=1, m=1)))
    edges = [*desk.take(0, labels(0, "fail").to_bytes(), NOW_MS), *desk.take(1, DAY.to_bytes(), NOW_MS)]
    entries = [take(SHELVES["alerts"], record(one.to_bytes()), TERMS) for one in edges]
    advice, alert = entries
    tables = dict(SHELVES["alerts"].rows(0, entries))
    assert sorted(tables) == ["advice", "alerts"]
    (row,) = tables["advice"].to_pylist()
    assert (row["advice"], row["reasons.code"], row["src_offset"]) == (
        "retrain",
        ["performance fell", "gain: unknown"],
        7,
    )
    assert msgspec.json.decode(row["record"], type=Advice) == edges[0] == advice.content
    assert tables["alerts"].to_pylist()[0]["id"] == edges[1].id
    assert [name for name, _ in SHELVES["alerts"].rows(0, [advice])] == ["advice"]
    assert [name for name, _ in SHELVES["alerts"].rows(0, [alert])] == ["alerts"]


@pytest.mark.parametrize("header", [b"", b"{}", b"not json", b'{"topic": 3}'])
def test_a_mark_nobody_can_read_is_none(header: bytes) -> None:
    """Anybody may send headers."""
    assert retry_of(((letter.RETRY_HEADER, header),)) is None


@pytest.mark.parametrize("topic", ["windows", "alerts", "emitter-status", "dead-letter", "labels"])
def test_a_record_of_another_type_is_refused(topic: str) -> None:
    """Predictions on another topic are a letter of that topic."""
    entry = take(SHELVES[topic], record(batch()), TERMS)
    assert entry.letter is not None
    assert entry.letter.reason == "unsupported_type"


def test_reasons_are_of_the_contract() -> None:
    """Letters carry reasons of `driftline.schemas.refusal` alone: they label a metric."""
    with pytest.raises(ValueError, match="is not a reason"):
        Refused("whatever", "")
