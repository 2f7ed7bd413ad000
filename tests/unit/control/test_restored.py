"""Restored: an export is put back as far as controllers signed it, and no further."""

from __future__ import annotations

import msgspec
import pytest
from audit_logs import Book, filled, new_book
from signed import command, key, text, trust

from driftline.agents.audit.checkpoint import Checkpoint
from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import AuditRecord, digest
from driftline.deploy.control.restored import Signed, signed_part


def part(book: Book) -> Signed:
    """What of an export of a book is to be restored."""
    return signed_part(book.pins.genesis, book.records, book.notes)


def foreign(book: Book) -> bytes:
    """Return a record that somebody else puts behind a book's last one."""
    return AuditRecord(
        seq=len(book.records), prev_hash=digest(book.records[-1]), event="moved", decided_at_ms=0
    ).to_bytes()


def test_a_whole_export_is_restored_whole() -> None:
    """All records and all checkpoints that agree with them, those of witnesses too."""
    book = filled(25, every=10)
    book.notes += [b"rubbish", book.log.checkpoint(key("thief")).to_bytes()]
    assert part(book) == Signed(25, 0, tuple(book.notes[:-2]))


@pytest.mark.parametrize("tail", [b"rubbish", b'{"seq": 25}'])
def test_what_lies_behind_the_signed_end_is_left_out(tail: bytes) -> None:
    """Records that follow and that do not, written by somebody else, are counted and not restored."""
    book = filled(25)
    book.records += [foreign(book), tail, tail]
    found = part(book)
    assert (found.size, found.behind) == (25, 3)


def test_an_export_that_lacks_what_was_signed_is_refused() -> None:
    """Nobody rolls the audit back by restoring it: a checkpoint of the log names more records."""
    book = filled(25)
    del book.records[20:]
    with pytest.raises(AuditError, match="a controller signed 25 records, and of this export 20 agree"):
        part(book)


def test_an_export_that_was_edited_below_its_signed_end_is_refused() -> None:
    """A record that was changed, with those behind it linked to it or not, takes no signed record away."""
    book = filled(25)
    book.records[14] = book.records[14].replace(b"number 14", b"number 99")
    with pytest.raises(AuditError, match=r"signed 25 records, and of this export 10 agree .*, for record 15"):
        part(book)
    other = filled(12)
    del other.records[10:], other.notes[2:]
    for _ in range(15):
        other.records.append(foreign(other))
    other.notes += filled(25).notes[2:]
    with pytest.raises(AuditError, match="signed 25 records, and of this export 10 agree"):
        part(other)


def test_another_log_is_refused() -> None:
    """Record 0 is pinned; an export without a record is none."""
    with pytest.raises(AuditError, match="is pinned"):
        signed_part("ab" * 32, filled(3).records, ())
    with pytest.raises(AuditError, match="the export has no record"):
        signed_part("ab" * 32, (), ())


def test_a_log_that_was_never_signed_has_its_first_record_alone() -> None:
    """Record 0 is vouched for by the pin, whatever follows by a signature."""
    book = new_book()
    assert part(book) == Signed(1, 0, ())
    book.write("seen")
    book.notes.append(Checkpoint("driftline.example/test", 2, b"\0" * 32).signed(
        "driftline.example/test", key("thief")).to_bytes())  # fmt: skip
    assert part(book) == Signed(1, 1, ())


def test_keys_of_the_log_that_changed_are_believed_in_their_time() -> None:
    """A checkpoint by a key that trust named then, and no longer names, still is one of the log."""
    book = filled(10)
    after = msgspec.to_builtins(trust(checkpoints=(text("checkpoint-2"),)))
    book.change_trust(command("trust-set", "", trust=after, expected_revision=1), "root-1", "root-2")
    book.checkpoint(witnessed=False)
    book.write("seen")
    book.notes.append(book.log.checkpoint(key("checkpoint-2")).to_bytes())
    assert part(book).size == 12
