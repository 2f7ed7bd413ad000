"""Whoever may write the log changes it in one way: it is found, and the place is told."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from audit_logs import Book, filled
from hypothesis import given
from hypothesis import strategies as st
from signed import key

from driftline.agents.audit.checkpoint import Checkpoint
from driftline.agents.audit.faults import Fault
from driftline.agents.audit.notes import Note
from driftline.agents.audit.record import AuditRecord, digest
from driftline.agents.audit.report import Pins, Report
from driftline.agents.audit.tree import Frontier, leaf_hash
from driftline.agents.audit.verify import Verifier

SIZES = st.integers(4, 40)
EVERY = st.integers(1, 50)


def report_of(book: Book, records: list[bytes], notes: list[bytes] | None = None) -> Report:
    """Verify records against the book's own genesis and notes."""
    return Verifier(book.pins, book.notes if notes is None else notes).run(records)


def fault_of(book: Book, records: list[bytes], notes: list[bytes] | None = None) -> Fault:
    """The fault that is found; there must be one, and what is verified lies before it."""
    report = report_of(book, records, notes)
    assert report.fault is not None
    assert report.records == len(records)
    assert report.verified <= report.fault.seq <= report.fault.until
    return report.fault


def spoilt(record: bytes, **over: object) -> bytes:
    """A record with other fields."""
    return msgspec.structs.replace(AuditRecord.from_bytes(record), **over).to_bytes()


def linked(records: list[bytes], first: int) -> list[bytes]:
    """The records with the first one edited, and all behind it linked anew."""
    made = [*records[:first], spoilt(records[first], reasons=("never said",))]
    for record in records[first + 1 :]:
        made.append(spoilt(record, prev_hash=digest(made[-1])))
    return made


def book_of(data: st.DataObject, low: int = 4) -> Book:
    """Any log whose last record a witness has signed."""
    return filled(data.draw(st.integers(low, 40)), every=data.draw(EVERY))


def place_in(data: st.DataObject, book: Book, low: int = 0) -> int:
    """Any place of a log."""
    return data.draw(st.integers(low, len(book.records) - 1))


EDITS: tuple[Callable[[bytes], bytes], ...] = (
    lambda record: spoilt(record, reasons=("never said",)),
    lambda record: spoilt(record, prev_hash="0" + AuditRecord.from_bytes(record).prev_hash[1:]),
    lambda record: spoilt(record, prev_hash="e" * 64),
    lambda record: spoilt(record, seq=AuditRecord.from_bytes(record).seq + 1),
    lambda record: spoilt(record, seq=9_999),
    lambda record: spoilt(record, seq=0, event="other"),
    lambda record: record + b" ",
    lambda record: record[:-1],
    lambda _record: b"",
    lambda record: record[:20] + b"\n" + record[20:],
)


@given(SIZES, EVERY)
def test_an_untouched_log_has_no_fault(size: int, every: int) -> None:
    """What was written is verified whole, and the witness vouches for all of it."""
    book = filled(size, every=every)
    report = report_of(book, book.records)
    assert (report.fault, report.verified, report.tail) == (None, size, 0)


@given(st.data(), st.sampled_from(EDITS))
def test_an_edit_is_found_at_its_place(data: st.DataObject, edit: Callable[[bytes], bytes]) -> None:
    """A record that was edited is named, whichever of its bytes it was."""
    book = book_of(data)
    place = place_in(data, book)
    records = list(book.records)
    records[place] = edit(records[place])
    if records[place] == book.records[place]:
        return
    fault = fault_of(book, records)
    assert fault.seq <= place <= fault.until
    assert fault.kind in ("edited", "re-chained")
    if place + 2 < len(records) and b"e" * 64 not in records[place]:
        assert (fault.kind, fault.seq, fault.until) == ("edited", place, place)


@given(st.data())
def test_a_removal_is_found_at_its_place(data: st.DataObject) -> None:
    """Records that were taken out are named; those at the end are missing from what a witness signed."""
    book = book_of(data)
    first = place_in(data, book)
    last = data.draw(st.integers(first, len(book.records) - 1))
    fault = fault_of(book, book.records[:first] + book.records[last + 1 :])
    is_end = last == len(book.records) - 1
    assert fault.kind == ("truncated" if is_end else "removed")
    assert fault.seq == first
    if first > 0:
        assert fault.until == last


@given(st.data())
def test_a_copy_that_was_put_in_is_found_at_its_place(data: st.DataObject) -> None:
    """A record of the log that lies there once more is named."""
    book = book_of(data)
    source = place_in(data, book)
    place = data.draw(st.integers(0, len(book.records)))
    records = [*book.records[:place], book.records[source], *book.records[place:]]
    fault = fault_of(book, records)
    assert fault.kind == "inserted"
    assert [*records[: fault.seq], *records[fault.seq + 1 :]] == book.records


@given(st.data(), st.booleans())
def test_a_forgery_that_was_put_in_is_found_at_its_place(data: st.DataObject, knows_the_chain: bool) -> None:  # noqa: FBT001 - drawn
    """A new record between two others is named, even when it follows the one before it rightly."""
    book = book_of(data)
    place = place_in(data, book, 1)
    prev = digest(book.records[place - 1]) if knows_the_chain else "e" * 64
    forged = spoilt(book.records[place], prev_hash=prev, reasons=("never said",))
    fault = fault_of(book, [*book.records[:place], forged, *book.records[place:]])
    assert fault.seq <= place <= fault.until <= fault.seq + 1
    assert fault.kind in ("inserted", "edited")
    if place + 1 < len(book.records):
        assert (fault.kind, fault.seq) == ("inserted", place)


@given(st.data())
def test_a_swap_is_found_at_its_places(data: st.DataObject) -> None:
    """Two records in each other's place are both named."""
    book = book_of(data)
    first, last = sorted(
        data.draw(st.lists(st.integers(0, len(book.records) - 1), min_size=2, max_size=2, unique=True))
    )
    records = list(book.records)
    records[first], records[last] = records[last], records[first]
    fault = fault_of(book, records)
    assert (fault.kind, fault.seq, fault.until) == ("swapped", first, last)


@given(st.data())
def test_a_history_linked_anew_is_found(data: st.DataObject) -> None:
    """Where all records after an edit are linked anew, the edit lies among those that are named."""
    book = book_of(data)
    first = place_in(data, book, 1)
    fault = fault_of(book, linked(book.records, first))
    assert fault.seq <= first <= fault.until
    assert fault.kind in ("re-chained", "edited")


@given(st.data())
def test_a_history_of_another_log_is_found(data: st.DataObject) -> None:
    """Where record 0 was edited too, and a new key signs, the pinned genesis says so."""
    book = book_of(data)
    records = linked(book.records, 0)
    tree = Frontier()
    for record in records:
        tree.push(leaf_hash(record))
    note = Checkpoint(book.state.trust.origin, len(records), tree.root()).signed(
        book.state.trust.origin, key("thief")
    )
    fault = fault_of(book, records, [note.to_bytes()])
    assert (fault.kind, fault.seq) == ("re-chained", 0)


@given(st.data())
def test_a_new_key_vouches_for_nothing(data: st.DataObject) -> None:
    """Where the history is linked anew and a new key signs it, only what a known key signed counts."""
    book = book_of(data)
    first = place_in(data, book, 1)
    records = linked(book.records, first)
    tree = Frontier()
    for record in records:
        tree.push(leaf_hash(record))
    note = Checkpoint(book.state.trust.origin, len(records), tree.root()).signed(
        book.state.trust.origin, key("thief")
    )
    alone = report_of(book, records, [note.to_bytes()])
    assert (alone.fault, alone.is_anchored, alone.unsigned) == (None, False, 1)
    assert fault_of(book, records, [note.to_bytes(), *book.notes]).seq <= first


@given(st.data(), st.booleans())
def test_a_store_that_was_rolled_back_is_found(data: st.DataObject, is_remembered: bool) -> None:  # noqa: FBT001 - drawn
    """Where log and checkpoints are those of an earlier day, a witness's note or a memory says what is missing."""
    book = book_of(data)
    size = data.draw(st.integers(1, len(book.records) - 1))
    old = [note for note in book.notes if Checkpoint.of(Note.parse(note)).size <= size]
    last = Checkpoint.of(Note.parse(book.notes[-1]))
    if is_remembered:
        report = Verifier(Pins(book.pins.genesis, last), old).run(book.records[:size])
    else:
        report = report_of(book, book.records[:size], [*old, book.notes[-1]])
    assert report.fault is not None
    assert (report.fault.kind, report.fault.seq, report.fault.until) == ("rolled-back", size, last.size - 1)


@given(st.data())
def test_a_roll_back_that_was_written_on_is_found(data: st.DataObject) -> None:
    """Where other records were written after the roll-back, the memory says between which places they differ."""
    book = book_of(data)
    size = data.draw(st.integers(1, len(book.records) - 1))
    other = filled(size, every=50)
    for _ in range(len(book.records) - size):
        other.write("seen", reasons=("another course",))
    remembered = Checkpoint.of(Note.parse(book.notes[-1]))
    report = Verifier(Pins(book.pins.genesis, remembered), ()).run(other.records)
    assert report.fault is not None
    assert report.fault.kind in ("re-chained", "edited")
    assert report.fault.seq <= size <= report.fault.until
