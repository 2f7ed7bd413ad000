"""What history and inventory take from an audit that is read once: nothing of one that cannot be believed."""

from __future__ import annotations

import pytest
from audit_logs import NOON_MS, filled
from clerked import Room
from msgspec.structs import replace

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import AuditRecord, digest
from driftline.deploy.control.past import past_of, told_of


def test_what_came_later_is_verified_though_nobody_asks_for_it() -> None:
    """An edited record after the time that is asked about lets nothing be told of the time before."""
    book = filled(20)
    soon_ms = NOON_MS + 5_000
    assert past_of(iter(book.records), book.notes, book.pins.genesis, soon_ms).ledger.log.size == 6
    book.records[15] = book.records[15].replace(b"number 15", b"number 51")
    with pytest.raises(AuditError, match="record 15"):
        past_of(iter(book.records), book.notes, book.pins.genesis, soon_ms)


def test_a_fault_of_the_first_record_is_what_is_said() -> None:
    """Another installation's audit is not called empty; of a time before its first record nothing is told."""
    book = filled(3)
    with pytest.raises(AuditError, match="is pinned"):
        past_of(iter(book.records), book.notes, "ab" * 32)
    with pytest.raises(AuditError, match=r"nothing before 20[0-9: -]+ UTC: name a later time"):
        past_of(iter(book.records), book.notes, book.pins.genesis, NOON_MS - 1)


def test_a_history_is_told_whole_or_not_at_all() -> None:
    """Its rows come in order after all was verified; an edited last record takes them all away."""
    book = filled(8)
    held = told_of("churn", iter(book.records), book.notes, book.pins.genesis, lambda one, _: one.seq)
    assert held == list(range(1, 8))
    book.records[7] = book.records[7].replace(b"number 7", b"number 8")
    with pytest.raises(AuditError, match="cannot be believed"):
        told_of("churn", iter(book.records), book.notes, book.pins.genesis, lambda one, _: one.seq)


@pytest.mark.parametrize("event", ["joined", "acked", "advised", "approved", "inherited"])
def test_a_record_that_is_not_whole_is_one_sentence(event: str) -> None:
    """Whoever may write the audit puts a record there that lacks what its event needs: that is said, with its place."""
    room = Room()
    room.registered("1")
    at = len(room.audit)
    detail = {"churn": 5} if event == "inherited" else None
    torn = AuditRecord(
        seq=at,
        prev_hash=digest(room.audit[-1]),
        event=event,
        decided_at_ms=room.now_ms,
        deployment="churn",
        detail=detail,
    )
    last = AuditRecord.from_bytes(room.audit[-1])
    room.audit.append(replace(torn, envelope=last.envelope, command=last.command).to_bytes())
    with pytest.raises(AuditError, match=rf"audit record {at} \({event}\) is not whole"):
        past_of(room.audit, [], digest(room.audit[0]))
