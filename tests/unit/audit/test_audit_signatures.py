"""Every signature in the records: by whom, by which trust, about what; and changes of trust, which only roots make."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from audit_logs import NOON_MS, Book, new_book
from signed import command, key, model, signed, text, trust
from two_verifiers import spoilt

from driftline.agents.audit.record import AuditRecord
from driftline.agents.audit.report import Report
from driftline.agents.audit.signatures import leaning
from driftline.agents.audit.verify import Verifier
from driftline.agents.control import signing
from driftline.agents.control.signing import sign
from driftline.schemas.control.ack import Ack
from driftline.schemas.control.command import Command
from driftline.schemas.control.envelope import ACK, Envelope


def verified(book: Book, *, signatures: bool = True) -> Report:
    """The report over a book."""
    return Verifier(book.pins, book.notes, signatures=signatures).run(book.records)


def words(envelope: Envelope) -> str:
    """An envelope as records hold it."""
    return envelope.to_bytes().decode()


def revocation(name: str, version: int, since_ms: int | None = None) -> Command:
    """A command that revokes somebody's key."""
    return command(
        "key-revoke", "", key=key(name).keyid, compromised_since_ms=since_ms, expected_revision=version
    )


PROMOTION = signed(command("promote"), "ann")
DIGEST = PROMOTION.digest
STRANGER = signed(command("promote"), "thief")
FORGERIES: dict[str, dict[str, object]] = {
    "another command": {"command": "a" * 64, "envelope": words(PROMOTION)},
    "signed by no key that was known then": {"command": STRANGER.digest, "envelope": words(STRANGER)},
    "names bob as who asked": {"command": DIGEST, "envelope": words(PROMOTION), "actor": "bob"},
    "about another command": {
        "command": DIGEST, "envelope": words(PROMOTION),
        "approvals": (words(signed(command("approve", target="b" * 64), "bob")),),
    },
    "names bob as who approved": {
        "command": DIGEST, "envelope": words(PROMOTION), "approvers": ("bob",),
        "approvals": (words(signed(command("approve", target=DIGEST), "cat")),),
    },
    "names cat as who approved": {
        "command": DIGEST, "envelope": words(PROMOTION), "approvers": ("cat",),
        "approvals": (words(signed(command("deny", target=DIGEST), "cat")),),
    },
    "cannot be believed": {"command": DIGEST, "envelope": "{}"},
    "carries no command": {"approvals": (words(PROMOTION),)},
    "as who asked and as who approved": {
        "command": DIGEST, "envelope": words(PROMOTION), "actor": "ann", "approvers": ("ann",),
        "approvals": (words(signed(command("approve", target=DIGEST), "ann")),),
    },
}  # fmt: skip


@pytest.mark.parametrize("why", FORGERIES)
def test_what_was_not_signed_is_forged(why: str) -> None:
    """A record whose envelopes say something else than it does is named, though the chain and the tree hold."""
    book = new_book()
    book.write("admitted", **FORGERIES[why])
    book.checkpoint()
    fault = verified(book).fault
    assert fault is not None
    assert (fault.kind, fault.seq) == ("forged", 1)
    assert why in fault.why
    assert verified(book, signatures=False).fault is None


def test_what_took_effect_carries_its_command() -> None:
    """A record that says a command took effect, and carries none, is forged."""
    book = new_book()
    book.write("effective", op="promote", deployment="churn")
    fault = verified(book).fault
    assert fault is not None
    assert (fault.kind, fault.seq) == ("forged", 1)


OMISSIONS: dict[str, dict[str, object]] = {
    "another command than the digest": {"command": None},
    "nothing was asked for to do, and promote": {"op": None},
    "nothing was asked for of the deployment, and churn": {"deployment": ""},
    "nothing was asked for of the version, and churn 2": {"model": None},
    "names nobody as who asked": {"actor": ""},
}


@pytest.mark.parametrize("why", OMISSIONS)
def test_what_took_effect_says_all_that_was_signed(why: str) -> None:
    """Without digest, op, deployment, version or who asked, an effect would vanish from a history, or be nobody's."""
    promotion = command("promote", model=model("2"))
    book = new_book()
    book.decide(promotion, "ann", approvers=("bob",))
    assert verified(book).fault is None
    book.decide(promotion, "ann", approvers=("bob",), **OMISSIONS[why])
    fault = verified(book).fault
    assert fault is not None
    assert (fault.kind, fault.seq) == ("forged", 2)
    assert why in fault.why


def test_nobody_approves_what_they_asked_for_under_no_name() -> None:
    """An effect whose only approver is who asked is forged, though the record leaves out who asked."""
    book = new_book()
    book.decide(command("promote"), "ann", approvers=("ann",), actor="")
    fault = verified(book).fault
    assert fault is not None
    assert "names nobody as who asked" in fault.why


def test_a_false_signature_is_forged() -> None:
    """An envelope with a signature of a known key over something else is named."""
    book = new_book()
    false = Envelope(signed(command("retire"), "ann").payload, PROMOTION.payload_type, PROMOTION.signatures)
    book.write("admitted", command=false.digest, envelope=words(false))
    fault = verified(book).fault
    assert fault is not None
    assert "does not hold" in fault.why


def test_what_was_signed_holds() -> None:
    """A command with approvals of two keys of one person and of another, and an agent's ack, hold."""
    book = new_book()
    book.decide(command("promote"), "ann", approvers=("bob", "cat"))
    said = Ack(
        installation=trust().installation, deployment="churn", revision=3, instance="a", boot_id=trust().installation,
        outcome="prepared", at_ms=NOON_MS,
    )  # fmt: skip
    book.write("ack", envelope=words(signing.sign(ACK, said.to_bytes(), key("serving-1"))), agent="a")
    report = verified(book)
    assert (report.fault, report.signatures, report.verified) == (None, 4, 3)


def test_records_are_judged_by_the_trust_of_their_place() -> None:
    """A key that was revoked later holds before, not after; what it signed may still be refused on record."""
    book = new_book()
    book.decide(command("promote"), "ann")
    book.change_trust(revocation("ann", 1), "root-1", "root-2")
    late = signed(command("promote"), "ann")
    book.write("rejected", op="promote", command=late.digest, envelope=words(late), reject="unknown_key")
    assert verified(book).fault is None
    book.decide(command("promote"), "ann")
    fault = verified(book).fault
    assert fault is not None
    assert (fault.kind, fault.seq) == ("forged", 4)


def test_a_compromised_key_is_told_with_what_leans_on_it() -> None:
    """The records that lean on a key since the time that its revocation names are listed."""
    book = new_book()
    for _ in range(4):
        book.decide(command("promote"), "ann", approvers=("bob",))
    book.change_trust(revocation("bob", 1, NOON_MS + 3_000), "root-1", "root-2")
    report = verified(book)
    assert report.compromised == {key("bob").keyid: NOON_MS + 3_000}
    assert list(leaning(book.records, report.compromised)) == [(3, key("bob").keyid), (4, key("bob").keyid)]


@pytest.mark.parametrize("at", [0, 63])
def test_no_spelling_hides_a_key_that_is_leant_on(at: int) -> None:
    """A digit of the key's id that JSON escapes, or an envelope that cannot be read, is no hiding place."""
    bob = key("bob").keyid
    book = new_book()
    plain = book.decide(command("promote"), "ann", approvers=("bob",))
    digit = f"\\\\u{ord(bob[at]):04x}"
    escaped = plain.replace(bob.encode(), f"{bob[:at]}{digit}{bob[at + 1 :]}".encode())
    torn = spoilt(plain, approvals=(f"{bob} without an end",))
    assert escaped != plain
    assert list(leaning([plain, escaped, torn], {bob: NOON_MS})) == [(1, bob)] * 3


Change = Callable[[Book], None]


def one_root(book: Book) -> None:
    """Revoke a key with one root alone."""
    book.decide(revocation("ann", 1), "root-1")


def own_trust(book: Book) -> None:
    """Bring in a trust with keys of one's own, signed by them."""
    mine = msgspec.to_builtins(trust(checkpoints=(text("thief"),)))
    book.decide(command("trust-set", "", trust=mine, expected_revision=1), "ann", "thief")


def other_outcome(book: Book) -> None:
    """Name a trust that the command does not lead to."""
    book.decide(revocation("ann", 1), "root-1", "root-2", trust="c" * 64)


def twice_the_same_root(book: Book) -> None:
    """Let one root sign, and an unknown key under another's id."""
    once = signed(revocation("ann", 1), "root-1")
    other = msgspec.structs.replace(once.signatures[0], keyid=key("root-2").keyid)
    both = msgspec.structs.replace(once, signatures=(once.signatures[0], other))
    book.decide(revocation("ann", 1), "root-1", command=both.digest, envelope=words(both))


ROOTS = ("root-1", "root-2")


def meant_elsewhere(book: Book) -> None:
    """Bring what the roots signed for another installation of theirs, with all that it would lead to here."""
    elsewhere = msgspec.structs.replace(revocation("ann", 1), audience="01890000-0000-7000-8000-00000000000b")
    book.change_trust(elsewhere, *ROOTS)


def of_another_type(book: Book) -> None:
    """Bring what the roots signed as something else than a command, with all that the command would lead to."""
    said = revocation("ann", 1)
    book.change_trust(said, *ROOTS)
    other = sign(ACK, said.to_bytes(), *map(key, ROOTS))
    book.records[-1] = spoilt(book.records[-1], envelope=words(other))


@pytest.mark.parametrize(
    "change",
    [one_root, own_trust, other_outcome, twice_the_same_root, meant_elsewhere, of_another_type],
)
def test_trust_changes_by_its_roots_alone(change: Change) -> None:
    """A change of trust that enough roots did not sign is forged, whether all signatures are looked at or not."""
    book = new_book()
    book.write("seen")
    change(book)
    for signatures in (False, True):
        fault = verified(book, signatures=signatures).fault
        assert fault is not None
        assert (fault.kind, fault.seq) == ("forged", 2)


def test_a_new_key_of_the_log_counts_from_its_place_on() -> None:
    """Checkpoints by the old key count up to the change of trust, by the new key after it, by neither elsewhere."""
    book = new_book()
    book.write("seen")
    book.checkpoint()
    after = msgspec.to_builtins(trust(checkpoints=(text("checkpoint-2"),)))
    book.change_trust(command("trust-set", "", trust=after, expected_revision=1), "root-2", "root-3")
    book.write("seen")
    book.checkpoint()
    assert (verified(book).witnessed, verified(book).unsigned) == (2, 2)
    book.notes[-2:] = [book.log.checkpoint(key("checkpoint-2")).to_bytes()]
    report = verified(book)
    assert (report.checkpoints, report.unsigned, report.witnessed) == (2, 0, 2)
    assert AuditRecord.from_bytes(book.records[2]).trust == book.state.digest


def test_a_revoked_witness_vouches_no_more() -> None:
    """What its key signs after the record that revokes it anchors nothing; what it signed before does."""
    book = new_book()
    book.write("seen")
    book.checkpoint()
    book.change_trust(revocation("witness", 1), "root-1", "root-2")
    book.write("seen")
    book.checkpoint()
    report = verified(book)
    assert (report.fault, report.checkpoints, report.witnessed) == (None, 2, 2)
