"""The audit and acks in ClickHouse, and a prediction traced back to the people who put its version there."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path

import audit_logs
import msgspec
import numpy as np
import pytest
from archiving import archiving, batch, rows_of, send, wait_for
from audit_logs import Book, new_book
from confluent_kafka import Producer
from signed import INSTALLATION, command, key, model, number

from driftline.agents.control.signing import sign
from driftline.deploy.cli import main
from driftline.deploy.local.environment import variables
from driftline.schemas.columns import LabelColumns, pack_labels, pack_predictions
from driftline.schemas.control.ack import Ack
from driftline.schemas.control.envelope import ACK
from driftline.schemas.control.serving_state import ServingState
from driftline.schemas.ids import id_of
from driftline.schemas.settings import Control, Settings, producer_config
from driftline.streams.archive import housekeeper
from driftline.streams.clickhouse import reads, retention
from driftline.streams.clickhouse.client import Client

NOON_MS = 1_750_000_000_000
"""When the audit's record 0 was decided; each record is a second after the one before it."""


@pytest.fixture(autouse=True)
def past(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the audit lie in the past, before the predictions arrive."""
    monkeypatch.setattr(audit_logs, "NOON_MS", NOON_MS)


def written(lane: Settings, records: list[bytes], notes: list[bytes] = (), *, commit: bool = True) -> None:  # type: ignore[assignment]
    """Write records of the audit as the controller does, or as one does that is killed before it commits."""
    producer = Producer(
        producer_config(lane.kafka, transactional_id=f"{lane.kafka.topic_prefix}{uuid.uuid4().hex}")
    )
    producer.init_transactions(60)
    producer.begin_transaction()
    for record in records:
        producer.produce(lane.kafka.topic_prefix + "audit", record)
    for note in notes:
        producer.produce(lane.kafka.topic_prefix + "checkpoints", note, b"log")
    producer.flush(180)
    if commit:
        producer.commit_transaction(60)
    else:
        producer.abort_transaction(60)


def governed() -> Book:
    """A log in which version 7 was registered and promoted by two persons, and approved by a third."""
    book = new_book()
    state = ServingState(
        deployment="churn", revision=2, audit_seq=2, decided_at_ms=NOON_MS, tier="high", champion=model("7")
    )
    book.decide(command("register", model=model("7")), "eve", model=model("7"), revision_after=1)
    book.decide(
        command("promote", model=model("7")),
        "ann",
        approvers=("bob",),
        model=model("7"),
        revision_before=1,
        revision_after=2,
        detail={"state": state.to_bytes().decode()},
    )
    book.checkpoint()
    return book


def test_a_prediction_is_traced_to_people(
    lane: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was committed of the audit is there once, in order and whole; `trace --verify` proves who promoted."""
    book = governed()
    ack = Ack(
        installation=INSTALLATION, deployment="churn", revision=2, instance="a", boot_id=number("boot"),
        outcome="activated", at_ms=NOON_MS,
    )  # fmt: skip
    ids = np.arange(48, dtype=np.uint8).reshape(3, 16)
    ids[0] = np.frombuffer(id_of("a"), np.uint8)
    sent = batch(ids=ids, times_ms=np.full(3, NOON_MS + 10_000, np.int64))
    label = LabelColumns(
        "churn",
        1,
        None,
        sent.ids[:1],
        None,
        np.array([NOON_MS + 20_000], np.int64),
        np.array([1.0]),
        None,
        None,
    )
    settings = msgspec.structs.replace(lane, control=Control(genesis=book.pins.genesis))
    written(lane, [b"never", b"committed"], commit=False)
    written(lane, book.records, book.notes)
    send(lane, "acks", (b"churn", sign(ACK, ack.to_bytes(), key("serving-1")).to_bytes()))
    send(lane, "predictions", (b"churn", pack_predictions(sent)))
    send(lane, "labels", (b"churn", pack_labels(label)))
    with archiving(lane):
        for table, count in (("audit", 3), ("acks", 1), ("lineage", 3), ("labels", 1)):
            wait_for(lane, table, count)
    assert rows_of(lane, "SELECT groupArray(seq) AS seqs FROM (SELECT seq FROM audit ORDER BY seq)")[0]["seqs"] == [
        0, 1, 2,
    ]  # fmt: skip
    assert rows_of(lane, "SELECT * FROM audit_gaps") == []
    assert rows_of(lane, "SELECT count() AS n FROM dead_letters")[0]["n"] == 0
    seen = rows_of(lane, "SELECT DISTINCT revision, digest, model_version FROM lineage_now")
    assert [(row["revision"], row["digest"]) for row in seen] == [(2, model("7").manifest)]

    monkeypatch.chdir(tmp_path)
    for name, value in variables(settings).items():
        monkeypatch.setenv(name, value)
    assert main(["trace", "a", "--verify", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["id"], facts["original_id"]) == (str(uuid.UUID(bytes=sent.ids[0].tobytes())), "a")
    assert (facts["revision"], facts["manifest"], facts["label"]["value"]) == (2, model("7").manifest, 1.0)
    assert (facts["placed_by"]["actor"], facts["placed_by"]["approvers"]) == ("ann", ["bob"])
    assert facts["proof"] == {"seq": 2, "size": 3, "witnesses": ["witness.example/1"]}
    assert (facts["features"]["carrier"], facts["features"]["big"]) == ("ÜA", 2**53 - 1)
    assert main(["trace", "nobody"]) == 1
    assert "no prediction has the id 'nobody'" in capsys.readouterr().err


def test_gaps_of_the_audit_are_found_by_seq(lane: Settings) -> None:
    """A record that is missing, stands twice or names another one before it is a row of the view."""
    book = new_book()
    for place in range(5):
        book.write("seen", deployment="churn", reasons=(f"number {place}",))
    edited = book.records[4].replace(b"number 3", b"number 9")
    written(
        lane, [book.records[0], book.records[1], book.records[1], book.records[3], edited, book.records[5]]
    )
    with archiving(lane):
        wait_for(lane, "audit", 6)
    found = rows_of(lane, "SELECT after_seq, next_seq, fault FROM audit_gaps ORDER BY after_seq, next_seq")
    assert [(row["after_seq"], row["next_seq"], row["fault"]) for row in found] == [
        (1, 1, "twice"),
        (1, 3, "missing"),
        (4, 5, "unchained"),
    ]


def test_retention_follows_the_tier_that_the_audit_tells(lane: Settings) -> None:
    """Events of a deployment of high risk stay longer; settings that hold already change nothing."""
    with Client(lane.clickhouse) as client:
        assert retention.apply(client, lane.archive) == []
        client.command(
            "INSERT INTO audit (seq, deployment, tier, arrived) VALUES (1, 'it''s', 'high', now64(3))"
        )
        assert set(retention.apply(client, lane.archive)) == {*retention.BY_TIER, retention.KEPT}
        assert retention.apply(client, lane.archive) == []
        for deployment, days in (("it's", 200), ("other", 200), ("other", 10)):
            at = datetime.now(UTC).timestamp() - days * 86_400
            client.query("SELECT 1")
            client.command(
                "INSERT INTO labels (deployment, prediction_id, known_at, arrived) SELECT "
                f"'{deployment.replace(chr(39), chr(39) * 2)}', sipHash128({days}), now64(3), "
                f"fromUnixTimestamp64Milli({round(at * 1000)})"
            )
        client.command("OPTIMIZE TABLE labels FINAL")
        kept = client.query(
            "SELECT deployment, count() AS n FROM labels GROUP BY deployment ORDER BY deployment"
        )
    assert [(row["deployment"], row["n"]) for row in kept] == [("it's", 1), ("other", 1)]


def test_what_is_to_be_forgotten_is_removed_and_stays_removed(
    lane: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Inputs, label and dead letter go, also when they come after the command; other rows and all lineage stay.

    Only what persons signed is obeyed: by nobody without a genesis, and with one not the record that a broker's admin
    adds, which follows and is whole.
    """
    monkeypatch.setattr(housekeeper, "LOOK_SECONDS", 0.5)
    book = new_book()
    book.decide(command("forget", target="c"), "mallory", actor="sue")
    book.decide(command("forget", target="a"), "sue")
    ids = np.arange(48, dtype=np.uint8).reshape(3, 16)
    ids[0], ids[2] = np.frombuffer(id_of("a"), np.uint8), np.frombuffer(id_of("c"), np.uint8)
    sent, again = batch(seq=0, ids=ids), batch(seq=1, ids=ids)
    # The archive refuses this one whole, for it lies in the future; it holds the id too.
    future = batch(
        seq=2, ids=ids[:1].repeat(3, 0), original_ids=["a"] * 3, times_ms=np.full(3, 4_000_000_000_000)
    )
    label = LabelColumns(
        "churn", 2, None, sent.ids[:2], None, np.full(2, NOON_MS, np.int64), np.array([1.0, 0.0]), None, None
    )
    send(lane, "predictions", (b"churn", pack_predictions(sent)), (b"churn", pack_predictions(future)))
    send(lane, "labels", (b"churn", pack_labels(label)))
    written(lane, book.records)
    with archiving(lane):
        for table, count in (("predictions", 3), ("dead_letters", 1), ("labels", 2), ("audit", 3)):
            wait_for(lane, table, count)
        reads.wait_until(lambda: "obeys nothing" in caplog.text, seconds=60, what="the line that says so")
    assert rows_of(lane, "SELECT count() AS n FROM forgotten")[0]["n"] == 0

    pinned = msgspec.structs.replace(lane, control=Control(genesis=book.pins.genesis))
    with archiving(pinned) as registry:
        _await(lane, "SELECT count() = 2 AS done FROM predictions")
        _await(lane, "SELECT count() = 1 AS done FROM labels")
        _await(lane, "SELECT state = 'forgotten' AND value IS NULL AS done FROM dead_letters_now")
        _await(lane, "SELECT max(size) = 3 AS done FROM audit_followed")
        told = registry.get_sample_value("driftline_archive_unbelieved_records_total", {"reason": "forget"})
        assert told == 1
        send(lane, "predictions", (b"churn", pack_predictions(again)))
        wait_for(lane, "lineage", 6)
        _await(lane, "SELECT count() = 4 AS done FROM predictions")
    book.decide(command("forget", target="c"), "sue", actor="ann")
    book.decide(command("forget", target="nobody's"), "sue")
    written(lane, book.records[3:])
    with archiving(pinned):
        _await(lane, "SELECT max(size) = 5 AS done FROM audit_followed")
    seen = rows_of(lane, "SELECT seq, target FROM forgotten ORDER BY seq")
    assert [(row["seq"], row["target"]) for row in seen] == [(2, "a"), (4, "nobody's")]
    kept = rows_of(
        lane, "SELECT original_id, count() AS n FROM predictions GROUP BY original_id ORDER BY original_id"
    )
    assert [row["n"] for row in kept if row["original_id"] in ("a", "c")] == [2]
    assert rows_of(lane, "SELECT count() AS n FROM lineage")[0]["n"] == 6


def _await(lane: Settings, sql: str) -> None:
    reads.wait_until(lambda: bool(rows_of(lane, sql)[0]["done"]), seconds=180, what=sql)
