"""Vouched: a controller goes on only from an end of the audit that a controller signed."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from audit_logs import Book, new_book
from clerked import Room
from controlled import INSTANCES, package
from signed import command, key, text, trust

from driftline.agents.audit.chain import Chain
from driftline.agents.audit.checkpoint import Checkpoint
from driftline.agents.audit.record import AuditRecord, digest
from driftline.agents.control.controller.errors import ControllerError
from driftline.agents.control.controller.vouched import Vouched
from driftline.agents.control.lifecycle import At
from driftline.agents.control.moves import halted
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
    made = halted(room.state, "because I can", At(room.now_ms, len(room.audit)))
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
