"""The writer of the log: records, and checkpoints."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from audit_logs import NOON_MS, POLICY, filled, new_book
from signed import key, text, trust

from driftline.agents.audit.chain import BrokenError, Chain
from driftline.agents.audit.checkpoint import Checkpoint
from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import MAX_RECORD_BYTES, NO_HASH, AuditRecord, Unread, digest
from driftline.agents.audit.writer import begin, resumed
from driftline.schemas.control.trust import Root


def test_record_0_lays_down_who_is_believed() -> None:
    """It holds the trust and the policy whole, their digests, and no predecessor."""
    log, data = begin(trust(), POLICY, NOON_MS)
    record = AuditRecord.from_bytes(data)
    assert (record.seq, record.prev_hash, record.event, record.decided_at_ms) == (
        0,
        NO_HASH,
        "genesis",
        NOON_MS,
    )
    assert record.genesis is not None
    assert (record.genesis.trust, record.genesis.policy) == (trust(), POLICY)
    assert record.policy == digest(POLICY.encode())
    assert log.size == 1
    assert AuditRecord.from_bytes(log.append("seen", NOON_MS)).prev_hash == digest(data)


def test_a_trust_that_cannot_hold_begins_no_log() -> None:
    """A root that asks for more keys than it has is refused in a sentence."""
    with pytest.raises(AuditError, match="the root asks for 2 of 1 keys"):
        begin(trust(root=Root(threshold=2, keys=(text("root-1"),))), POLICY, NOON_MS)


def test_a_record_is_one_line_of_json_without_what_is_empty() -> None:
    """Fields that are empty are left out, `schema` and `seq` come first, and a newline in a text is escaped."""
    data = new_book().write("seen", reasons=("two\nlines — é",))
    assert b"\n" not in data
    plain = json.loads(data)
    assert list(plain)[:2] == ["schema", "seq"]
    assert set(plain) == {"schema", "seq", "prev_hash", "event", "decided_at_ms", "reasons"}
    assert plain["reasons"] == ["two\nlines — é"]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"detail": {"text": "x" * MAX_RECORD_BYTES}}, "has 1,000,1.. bytes; 1,000,000 are allowed"),
        ({"detail": {"thing": object()}}, "cannot be written"),
        ({"event": "Not An Event"}, "no audit record"),
        ({"reject": "because"}, "no audit record"),
        ({"state_after": "abc"}, "no audit record"),
    ],
)
def test_what_is_no_record_is_not_appended(fields: dict[str, object], sentence: str) -> None:
    """A record that could not be read again is refused, and the log stands where it stood."""
    book, other = new_book(), new_book()
    with pytest.raises(AuditError, match=sentence):
        book.log.append(**{"event": "seen", "now_ms": 5, **fields})  # type: ignore[arg-type]  # what nobody should give
    assert book.write("seen") == other.write("seen")
    assert book.checkpoint().text == other.checkpoint().text


def test_a_log_is_resumed_from_its_topic() -> None:
    """A writer that read all records goes on as the one before would have, and has signed nothing yet."""
    book, other = new_book(), new_book()
    chain = Chain(book.pins.genesis)
    for _ in range(6):
        assert book.write("seen") == other.write("seen")
    for record in book.records:
        chain.take(record)
    book.log = resumed(chain)
    assert not book.log.is_signed
    assert book.checkpoint().text == other.checkpoint().text
    assert book.write("seen") == other.write("seen")
    with pytest.raises(AuditError, match="no record yet"):
        resumed(Chain(book.pins.genesis))


def test_a_checkpoint_covers_what_is_there() -> None:
    """A log is signed from its checkpoint on until its next record."""
    log, _ = begin(trust(), POLICY, 0)
    assert not log.is_signed
    assert Checkpoint.of(log.checkpoint(key("checkpoint"))).size == 1
    assert log.is_signed
    log.append("seen", 100_000)
    assert not log.is_signed


def test_messages_that_nobody_signed_are_told_by_count_and_digest() -> None:
    """A flood is one record with its offsets, its size and one hash, and none of its bytes."""
    flood = Unread(count=500, first_offset=7, last_offset=900, size_bytes=32_000_000, digest="a" * 64)
    data = new_book().write("unsigned", unread=flood)
    assert AuditRecord.from_bytes(data).unread == flood
    assert len(data) < 500


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record.replace(b'"schema":"driftline.audit.v1",', b""),
        lambda record: record.replace(b'"number 3"', b'"\xff"'),
        lambda record: record.replace(b"driftline.audit.v1", b"driftline.audit.v2"),
    ],
)
def test_what_the_format_does_not_allow_is_no_record(spoil: Callable[[bytes], bytes]) -> None:
    """Without a schema, with another one, or with bytes that are no UTF-8 in a field that no chain needs: refused."""
    book = filled(4)
    chain = Chain(book.pins.genesis)
    for record in book.records[:3]:
        chain.take(record)
    spoilt = spoil(book.records[3])
    assert spoilt != book.records[3]
    with pytest.raises(BrokenError, match="no audit record"):
        chain.take(spoilt)
    chain.take(book.records[3])
