"""Records of the audit, and acks, as rows."""

from __future__ import annotations

import hashlib

import pytest
from audit_logs import new_book
from signed import INSTALLATION, command, key, model, number

from driftline.agents.control.signing import sign
from driftline.schemas.control.ack import Ack, Heartbeat
from driftline.schemas.control.envelope import ACK, HEARTBEAT
from driftline.schemas.control.serving_state import ServingState
from driftline.schemas.refusal import Refused
from driftline.streams.clickhouse.ack_rows import ack_rows, said_of
from driftline.streams.clickhouse.audit_rows import audit_rows, line_of


def test_a_record_becomes_a_row_with_its_own_bytes() -> None:
    """Columns say who, what and which state; the bytes and their digest lie beside them."""
    book = new_book()
    state = ServingState(
        deployment="churn", revision=3, audit_seq=1, decided_at_ms=0, tier="high", champion=model("2")
    )
    value = book.decide(
        command("promote", model=model("2")),
        "ann",
        approvers=("bob", "cat"),
        model=model("2"),
        revision_before=2,
        revision_after=3,
        detail={"state": state.to_bytes().decode()},
    )
    row = audit_rows([line_of(value)], [7], [1_800_000_000_000]).to_pylist()[0]
    assert (row["seq"], row["event"], row["op"], row["actor"]) == (1, "effective", "promote", "ann")
    assert (row["approvers"], row["deployment"], row["model_version"]) == (["bob", "cat"], "churn", "2")
    assert (row["revision_before"], row["revision_after"], row["tier"], row["champion"]) == (
        2,
        3,
        "high",
        "2",
    )
    assert (row["manifest"], row["record"]) == (model("2").manifest, value)
    assert row["digest"] == hashlib.sha256(value).hexdigest()
    assert row["prev_hash"] == hashlib.sha256(book.records[0]).hexdigest()


@pytest.mark.parametrize("value", [b"", b"{}", b"[]", b"\xff", b'{"seq": -1}', b"[" * 100_000])
def test_what_is_no_record_is_refused(value: bytes) -> None:
    """Bytes that anybody wrote become a dead letter, never an error of the worker."""
    with pytest.raises(Refused):
        line_of(value)


def test_a_state_nobody_can_read_leaves_its_columns_empty() -> None:
    """The record is kept; only what would be read out of the state is not there."""
    value = new_book().write("moved", detail={"state": "no json"})
    row = audit_rows([line_of(value)], [0], [0]).to_pylist()[0]
    assert (row["tier"], row["champion"], row["record"]) == ("", "", value)


def test_acks_and_heartbeats_are_rows_of_one_table() -> None:
    """What an ack has and a heartbeat lacks is null or empty; the keys that signed are named."""
    ack = Ack(
        installation=INSTALLATION, deployment="churn", revision=4, instance="a", boot_id=number("boot"),
        outcome="failed", at_ms=1_800_000_000_000, reason="no memory", seconds=1.5,
    )  # fmt: skip
    beat = Heartbeat(
        installation=INSTALLATION, instance="a", boot_id=number("boot"), at_ms=1_800_000_000_001,
        revisions={"churn": 4}, free_bytes=10,
    )  # fmt: skip
    values = [
        sign(ACK, ack.to_bytes(), key("serving-1")).to_bytes(),
        sign(HEARTBEAT, beat.to_bytes(), key("serving-1")).to_bytes(),
    ]
    one, two = ack_rows([said_of(value) for value in values], [0, 1], [2, 3]).to_pylist()
    assert (one["kind"], one["deployment"], one["revision"], one["outcome"]) == ("ack", "churn", 4, "failed")
    assert (one["reason"], one["seconds"], one["keyids"]) == ("no memory", 1.5, [key("serving-1").keyid])
    assert (two["kind"], two["revision"], two["revisions"]) == ("heartbeat", None, [("churn", 4)])
    assert (two["free_bytes"], two["is_draining"], one["free_bytes"]) == (10, False, None)


@pytest.mark.parametrize("value", [b"", b"{}", sign(ACK, b"{}", key("serving-1")).to_bytes()])
def test_what_is_no_ack_is_refused(value: bytes) -> None:
    """An envelope around nothing is none either."""
    with pytest.raises(Refused):
        said_of(value)
