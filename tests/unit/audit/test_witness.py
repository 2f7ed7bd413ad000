"""The witness: it signs what it has read whole, once, and never two histories."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from audit_logs import WITNESS, Book, filled
from signed import command, key, text, trust

from driftline.agents.audit import witness as witness_module
from driftline.agents.audit.checkpoint import Checkpoint
from driftline.agents.audit.errors import WitnessError
from driftline.agents.audit.notes import MAX_SIGNATURES, Note, NoteSignature
from driftline.agents.audit.record import AuditRecord
from driftline.agents.audit.store import Store
from driftline.agents.audit.verify import Verifier
from driftline.agents.audit.witness import Witness

NOW_S = 1_800_000_000


def fresh(book: Book, last: Note | None = None, name: str = WITNESS, word: str = "witness") -> Witness:
    """A witness of a book's log."""
    return Witness(book.pins.genesis, name, key(word), last)


def told(one: Witness, book: Book, *, records: int | None = None) -> Witness:
    """Give a witness the records (or the first so many) and all notes."""
    for data in book.records[one.size : records]:
        one.record(data)
    for data in book.notes:
        one.note(data)
    return one


def test_it_signs_the_largest_checkpoint_that_it_has_read_whole() -> None:
    """Of several checkpoints it signs the largest whose records it has; later ones when their records come."""
    book = filled(40, every=10, witnessed=False)
    one = told(fresh(book), book, records=33)
    assert one.compare() is None
    note = one.sign(NOW_S)
    assert note is not None
    assert Checkpoint.of(note).size == 30
    assert one.compare() is None
    assert one.sign(NOW_S) is None
    told(one, book)
    assert one.compare() is None
    last = one.sign(NOW_S + 60)
    assert last is not None
    report = Verifier(book.pins, [note.to_bytes(), last.to_bytes()]).run(book.records)
    assert (report.fault, report.witnessed, report.witnessed_at_s) == (None, 40, NOW_S + 60)


def test_it_signs_nothing_twice_and_nothing_that_shrinks() -> None:
    """A checkpoint that it signed, or a smaller one, is not signed again, also after a restart."""
    book = filled(20, every=10, witnessed=False)
    one = told(fresh(book), book)
    one.compare()
    last = one.sign(NOW_S)
    assert last is not None
    again = told(fresh(book, last), book)
    again.ended()
    assert again.compare() is None
    assert again.sign(NOW_S) is None


def test_what_is_no_checkpoint_of_the_log_counts_nothing() -> None:
    """Rubbish, notes by strangers and a flood of them keep it from nothing."""
    book = filled(20, every=10, witnessed=False)
    stranger = Checkpoint("driftline.example/test", 10**15, b"x" * 32).signed(
        "driftline.example/test", key("thief")
    )
    one = fresh(book)
    for data in (b"", b"\xff", book.records[1], *[stranger.to_bytes()] * 500):
        one.note(data)
    told(one, book)
    for data in [stranger.to_bytes()] * 500:
        one.note(data)
    assert one.compare() is None
    note = one.sign(NOW_S)
    assert note is not None
    assert Checkpoint.of(note).size == 20


def test_a_checkpoint_of_another_log_by_the_same_key_counts_nothing() -> None:
    """What names another origin is neither signed nor held against the records, though this log's key signed it."""
    book = filled(20, every=20, witnessed=False)
    of_this = Checkpoint.of(Note.parse(book.notes[-1]))
    for size, root in ((20, of_this.root), (15, b"x" * 32)):
        other = Checkpoint("driftline.example/other", size, root).signed(
            "driftline.example/test", key("checkpoint")
        )
        one = fresh(book)
        for data in book.records:
            one.record(data)
        one.note(other.to_bytes())
        assert one.compare() is None
        assert one.sign(NOW_S) is None


def test_it_refuses_a_log_that_contradicts_its_own_checkpoint() -> None:
    """Where the log's key signed another root than the records lead to, the note is given back as evidence."""
    book = filled(20, every=10, witnessed=False)
    false = Checkpoint("driftline.example/test", 15, b"x" * 32).signed(
        "driftline.example/test", key("checkpoint")
    )
    one = told(fresh(book), book)
    one.note(false.to_bytes())
    assert one.compare() == false


def test_it_refuses_another_history_than_it_signed() -> None:
    """After a restart, records that were linked anew, or that are gone, are not signed for."""
    book = filled(20, every=10, witnessed=False)
    one = told(fresh(book), book)
    one.compare()
    last = one.sign(NOW_S)
    other = filled(12)
    for _ in range(8):
        other.write("seen", reasons=("another course",))
    with pytest.raises(WitnessError, match="the first 20 records are not those that this witness signed"):
        told(fresh(book, last), other)
    short = told(fresh(book, last), book, records=15)
    with pytest.raises(WitnessError, match="the log has 15 records, and this witness signed 20"):
        short.ended()


def test_it_refuses_a_record_that_does_not_follow() -> None:
    """A record that was edited, and one that only claims a change of trust, end the witness."""
    book = filled(9, witnessed=False)
    book.records[5] = msgspec.structs.replace(
        AuditRecord.from_bytes(book.records[5]), event="other"
    ).to_bytes()
    with pytest.raises(WitnessError, match="record 6 is not signed for"):
        told(fresh(book), book)
    forged = filled(3, witnessed=False)
    forged.decide(command("key-revoke", "", key=key("ann").keyid, expected_revision=1), "root-1")
    with pytest.raises(WitnessError, match="fewer than 2 roots signed"):
        told(fresh(forged), forged)


@pytest.mark.parametrize(("name", "word"), [("witness.example/2", "witness"), (WITNESS, "thief")])
def test_it_signs_only_when_the_trust_names_it(name: str, word: str) -> None:
    """A witness whose name or key the trust does not know says so, and signs nothing."""
    book = filled(9, witnessed=False)
    one = told(fresh(book, name=name, word=word), book)
    one.compare()
    with pytest.raises(WitnessError, match="names no witness"):
        one.sign(NOW_S)


def test_a_new_key_of_the_log_may_come_before_its_record() -> None:
    """A checkpoint by a key that the next record brings in is signed once that record was read."""
    book = filled(9, witnessed=False)
    after = msgspec.to_builtins(trust(checkpoints=(text("checkpoint-2"),)))
    book.change_trust(command("trust-set", "", trust=after, expected_revision=1), "root-2", "root-3")
    one = told(fresh(book), book, records=9)
    one.note(book.log.checkpoint(key("checkpoint-2")).to_bytes())
    one.compare()
    told(one, book)
    assert one.compare() is None
    note = one.sign(NOW_S)
    assert note is not None
    assert Checkpoint.of(note).size == 10


def test_a_key_that_was_taken_away_accuses_no_log() -> None:
    """What it signed for a size behind its end counts nothing, though it came before the record that took it away."""
    book = filled(9, witnessed=False)
    after = msgspec.to_builtins(trust(checkpoints=(text("checkpoint-2"),)))
    book.change_trust(command("trust-set", "", trust=after, expected_revision=1), "root-2", "root-3")
    for number in range(10):
        book.write("seen", deployment="churn", reasons=(f"number {number}",))
    book.notes = [book.log.checkpoint(key("checkpoint-2")).to_bytes()]
    ahead = Checkpoint("driftline.example/test", 15, bytes(32)).signed(
        "driftline.example/test", key("checkpoint")
    )
    one = fresh(book)
    for data in book.records[:6]:
        one.record(data)
    one.note(ahead.to_bytes())
    assert one.compare() is None
    told(one, book)
    assert one.compare() is None
    note = one.sign(NOW_S)
    assert note is not None
    assert Checkpoint.of(note).size == len(book.records)


def test_it_needs_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps the hashes of a window of records; a checkpoint from before that is passed over."""
    monkeypatch.setattr(witness_module, "WINDOW", 8)
    book = filled(40, every=10, witnessed=False)
    one = told(fresh(book), book)
    assert len(one._leaves) == 8
    assert one.compare() is None
    note = one.sign(NOW_S)
    assert note is not None
    assert Checkpoint.of(note).size == 40


def test_the_store_keeps_what_was_signed_for_one_process(tmp_path: Path) -> None:
    """What is kept is there after a restart; a second process is refused, and so is a store that cannot be read."""
    note = Note.parse(filled(9).notes[-1])
    store = Store(tmp_path / "store")
    assert store.last() is None
    store.keep(note)
    with pytest.raises(WitnessError, match="held by another witness"):
        Store(tmp_path / "store")
    store.close()
    again = Store(tmp_path / "store")
    assert again.last() == note
    assert again.keep_evidence(note).read_bytes() == note.to_bytes()
    (tmp_path / "store" / "last.note").write_bytes(b"nothing")
    with pytest.raises(WitnessError, match="bring it back from a copy"):
        again.last()
    again.close()
    (tmp_path / "file").touch()
    with pytest.raises(WitnessError, match="cannot be used"):
        Store(tmp_path / "file" / "store")


@pytest.mark.parametrize("known", [True, False])
def test_lines_that_others_put_below_a_checkpoint_are_not_signed_on(*, known: bool) -> None:
    """Copies of a true one with all the lines that a note may have push it out of no memory; what is signed is read."""
    book = filled(20, every=10, witnessed=False)
    true = Note.parse(book.notes[-1])
    junk = [
        NoteSignature(f"j{number}", b"abcd", bytes([number]) * 64) for number in range(MAX_SIGNATURES - 1)
    ]
    copies = [true.with_signatures(*junk).to_bytes()] * (witness_module.MOST_AHEAD + 1)
    one = fresh(book)
    if known:
        told(one, book)
    for data in copies:
        one.note(data)
    told(one, book)
    assert one.compare() is None
    note = one.sign(NOW_S)
    assert note is not None
    assert len(Note.parse(note.to_bytes()).signatures) == 2
    assert Verifier(book.pins, [note.to_bytes()]).run(book.records).witnessed == 20
