"""Vouched: a controller goes on only from the end of the audit that a controller signed last."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from audit_logs import Book, filled, new_book
from clerked import Room
from controlled import INSTANCES, package
from office import halted
from signed import command, key, text, trust

from driftline.agents.audit.chain import Chain
from driftline.agents.audit.checkpoint import Checkpoint
from driftline.agents.audit.record import AuditRecord, digest
from driftline.agents.control.controller.errors import ControllerError
from driftline.agents.control.controller.vouched import Vouched
from driftline.agents.control.lifecycle import At
from driftline.schemas.control.serving_state import ServingState

ONE = package("1").model


def size_of(book: Book) -> int:
    """Return how far the notes of a book vouch for it."""
    chain, vouched = Chain(book.pins.genesis), Vouched(book.notes)
    for record in book.records:
        chain.take(record)
        vouched.take(chain)
    return vouched.size


def test_who_may_write_the_audit_makes_no_controller_sign() -> None:
    """A halt that the controller never made is put behind its last record: the next controller does not begin."""
    room = Room()
    room.registered("1")
    room.beat()
    room.turn()
    room.ask("create", "ann", model=ONE)
    for name in INSTANCES:
        room.ack(name, "prepared")
    room.turn()
    room.crash()
    assert room.state is not None
    made = halted(room.state, At(room.now_ms, len(room.audit)))
    assert isinstance(made, ServingState)
    forged = AuditRecord(
        seq=len(room.audit),
        prev_hash=digest(room.audit[-1]),
        event="moved",
        decided_at_ms=room.now_ms,
        deployment="churn",
        detail={"by": "controller", "state": made.to_bytes().decode()},
    )
    room.audit.append(forged.to_bytes())
    with pytest.raises(ControllerError, match="no controller signed the last 1: somebody else wrote them"):
        room.crash()


def of_another_key(book: Book) -> None:
    """Sign with a key that trust does not name."""
    book.notes.append(book.log.checkpoint(key("thief")).to_bytes())


def of_another_root(book: Book) -> None:
    """Sign a root that the records do not lead to."""
    book.notes.append(Checkpoint("driftline.example/test", book.log.size, b"\0" * 32).signed(
        "driftline.example/test", key("checkpoint")).to_bytes())  # fmt: skip


def rubbish(book: Book) -> None:
    """Put something among the notes that is none."""
    book.notes += [b"", b"\xff", b"a\n\nb\n"]


@pytest.mark.parametrize("change", [of_another_key, of_another_root, rubbish])
def test_only_a_key_of_the_log_vouches(change: Callable[[Book], None]) -> None:
    """Record 0 is pinned; what another key signed, or of another root, vouches for nothing behind it."""
    book = new_book()
    assert size_of(book) == 1
    book.write("seen")
    change(book)
    assert size_of(book) == 1
    book.checkpoint(witnessed=False)
    assert size_of(book) == 2


def test_a_key_of_the_log_vouches_for_the_turn_that_takes_it_away_and_no_other() -> None:
    """The controller signs the change of its key by the old one; behind that the old key vouches for nothing."""
    book = new_book()
    after = msgspec.to_builtins(trust(checkpoints=(text("checkpoint-2"),)))
    book.change_trust(command("trust-set", "", trust=after, expected_revision=1), "root-1", "root-2")
    book.write("seen")
    book.checkpoint(witnessed=False)
    assert size_of(book) == 3
    book.write("seen")
    book.checkpoint(witnessed=False)
    assert size_of(book) == 3
    book.notes.append(book.log.checkpoint(key("checkpoint-2")).to_bytes())
    assert size_of(book) == 4


def stands(book: Book, records: int, notes: list[bytes]) -> None:
    """Let a controller begin after so many records of a book, that reads some notes last and others before them."""
    chain, vouched = Chain(book.pins.genesis), Vouched(notes, lambda: [*book.notes, *notes])
    for record in book.records[:records]:
        chain.take(record)
        vouched.take(chain)
    vouched.require(chain)


def test_an_audit_that_lost_its_last_records_is_not_gone_on_with() -> None:
    """A controller that began before an end that one signed would sign two histories of one size."""
    book = filled(30, every=10)
    stands(book, 30, book.notes)
    with pytest.raises(
        ControllerError, match="has 20 records, and a controller signed 30: the last 10 are gone"
    ):
        stands(book, 20, book.notes)


def test_what_another_key_says_of_later_records_holds_up_nobody() -> None:
    """Whoever may write the topic of checkpoints cannot stop the controller by a size that is never reached."""
    book = filled(10)
    later = Checkpoint("driftline.example/test", 99, b"\0" * 32)
    stands(book, 10, [*book.notes, later.signed("driftline.example/test", key("thief")).to_bytes()])


def test_notes_that_push_the_end_s_own_out_of_what_is_read_last_stop_nobody() -> None:
    """Whoever may write the topic can fill it; then all of it is read, and an end that none signed is still none."""
    book = filled(10)
    stands(book, 10, [b"rubbish"] * 3)
    book.write("seen")
    with pytest.raises(ControllerError, match="has 11 records, and no controller signed the last 10"):
        stands(book, 11, [b"rubbish"] * 3)
