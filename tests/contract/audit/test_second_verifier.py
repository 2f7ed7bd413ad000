"""A verifier in Go that shares no code with ours, held against ours over exports that are whole and that are not."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from audit_logs import NOON_MS, WITNESS, Book
from audit_tampering import tampered
from signed import command, key, signed
from two_verifiers import SOURCE, both, claimed, spoilt

from driftline.agents.audit.checkpoint import Checkpoint, cosigned
from driftline.agents.audit.export import export
from driftline.agents.audit.notes import Note
from driftline.agents.audit.record import AuditRecord, digest
from driftline.agents.audit.tree import Frontier, leaf_hash
from driftline.agents.audit.verify import Verifier
from driftline.agents.control.signing import sign
from driftline.schemas.control.envelope import ACK, Envelope

pytestmark = pytest.mark.needs("go", "golang-go")

Tamper = Callable[[list[bytes], list[bytes]], None]
MOST_LINES = 300


def edit(records: list[bytes], _notes: list[bytes]) -> None:
    """Say something else in record 9."""
    records[9] = spoilt(records[9], reasons=("never said",))


def relink(records: list[bytes], _notes: list[bytes]) -> None:
    """Say something else in record 9, and link all behind it anew."""
    records[9] = spoilt(records[9], reasons=("never said",))
    for at in range(10, len(records)):
        records[at] = spoilt(records[at], prev_hash=digest(records[at - 1]))


def begin_anew(records: list[bytes], notes: list[bytes]) -> None:
    """Write record 0 anew, link all behind it, and sign with another key."""
    records[0] = spoilt(records[0], decided_at_ms=1)
    relink(records, notes)


def swap(records: list[bytes], _notes: list[bytes]) -> None:
    """Put records 4 and 12 in each other's place."""
    records[4], records[12] = records[12], records[4]


def forge_trust(records: list[bytes], _notes: list[bytes]) -> None:
    """Let a record in the tail take a key away that one root alone signed."""
    asked = command("key-revoke", "", key=key("ann").keyid, expected_revision=4)
    claimed(records, signed(asked, "root-1"), "key-revoke")


def bring_from_elsewhere(records: list[bytes], _notes: list[bytes]) -> None:
    """Set the policy by what the roots signed for another installation of theirs."""
    elsewhere = "01890000-0000-7000-8000-00000000000b"
    asked = command("policy-set", "", audience=elsewhere, policy="permit(", expected_revision=4)
    claimed(records, signed(asked, "root-1", "root-2"), "policy-set")


def say_again(records: list[bytes], _notes: list[bytes]) -> None:
    """Bring back a trust that the roots signed once, before they changed it."""
    old = next(one for one in map(AuditRecord.from_bytes, records) if one.op == "trust-set")
    claimed(records, Envelope.from_bytes((old.envelope or "").encode()), "trust-set")


def mistake_the_type(records: list[bytes], _notes: list[bytes]) -> None:
    """Take for a command what the roots signed as something else."""
    asked = command("policy-set", "", policy="permit(", expected_revision=4)
    claimed(records, sign(ACK, asked.to_bytes(), key("root-1"), key("root-2")), "policy-set")


def leave_bits_behind(records: list[bytes], _notes: list[bytes]) -> None:
    """Write the base64 of a change that the roots did sign in another spelling."""
    asked = command("policy-set", "", policy="permit(", expected_revision=4)
    while len(asked.to_bytes()) % 3 != 1:
        asked = msgspec.structs.replace(asked, reason=asked.reason + ".")
    good = signed(asked, "root-1", "root-2")
    assert good.payload.endswith("Q==")
    claimed(records, good, "policy-set")
    other = good.payload[:-3] + "R=="
    records[-1] = records[-1].replace(good.payload.encode(), other.encode())


def grow(records: list[bytes], _notes: list[bytes]) -> None:
    """Let the last record be one byte longer than any may be."""
    records[-1] += b" " * (1_000_001 - len(records[-1]))


def add_a_carriage_return(records: list[bytes], _notes: list[bytes]) -> None:
    """Put a byte behind record 9 that line readers like to drop."""
    records[9] += b"\r"


def steal_the_log(records: list[bytes], notes: list[bytes]) -> None:
    """Link the log anew and sign that with the log's true key, while the witness's note still lies there."""
    relink(records, notes)
    tree = Frontier()
    for record in records[:21]:
        tree.push(leaf_hash(record))
    note = Checkpoint("driftline.example/test", 21, tree.root())
    notes.append(note.signed("driftline.example/test", key("checkpoint")).to_bytes())


def name_another_behind_a_checkpoint(records: list[bytes], _notes: list[bytes]) -> None:
    """Let the record behind one that a checkpoint proves name another one before it, and link what follows anew."""
    records[14] = spoilt(records[14], prev_hash="0" * 64)
    for at in range(15, len(records)):
        records[at] = spoilt(records[at], prev_hash=digest(records[at - 1]))


def call_it_another_log(records: list[bytes], notes: list[bytes]) -> None:
    """Let the log's own key sign the true root under another origin."""
    tree = Frontier()
    for record in records[:20]:
        tree.push(leaf_hash(record))
    note = Checkpoint("driftline.example/other", 20, tree.root())
    notes.append(note.signed("driftline.example/test", key("checkpoint")).to_bytes())


TAMPERINGS: tuple[Tamper, ...] = (
    edit,
    relink,
    begin_anew,
    swap,
    forge_trust,
    bring_from_elsewhere,
    say_again,
    mistake_the_type,
    leave_bits_behind,
    grow,
    lambda records, _notes: records.__setitem__(28, records[28].replace(b"seen", b"see\xff")),
    add_a_carriage_return,
    steal_the_log,
    name_another_behind_a_checkpoint,
    call_it_another_log,
    lambda records, _notes: records.__delitem__(9),
    lambda records, _notes: records.__delitem__(slice(20, None)),
    lambda records, _notes: records.insert(9, records[3]),
    lambda records, _notes: records.insert(9, b"{}"),
    lambda records, _notes: records.insert(9, records[9][:30] + b"\n" + records[9][30:]),
    lambda records, _notes: records.__setitem__(
        9, records[9].replace(b"driftline.audit.v1", b"driftline.audit.v2")
    ),
    lambda records, _notes: records.__setitem__(23, spoilt(records[23], actor="bob")),
)


def test_it_is_short_and_needs_nothing() -> None:
    """It has 300 lines at most and imports nothing but Go's standard library."""
    source = (SOURCE / "main.go").read_text(encoding="utf-8")
    assert len(source.splitlines()) <= MOST_LINES
    imports = re.search(r"import \((.*?)\)", source, re.DOTALL)
    assert imports is not None
    assert all("." not in name for name in re.findall(r'"(.*?)"', imports[1]))
    assert "require" not in (SOURCE / "go.mod").read_text(encoding="utf-8")


def test_both_accept_what_was_written(program: Path, book: Book, tmp_path: Path) -> None:
    """A log with changes of trust, a new key of the log and an unwitnessed tail is accepted by both."""
    export(tmp_path / "log", book.records, book.notes)
    report, said = both(program, tmp_path / "log", book.pins.genesis)
    assert (report.fault, report.verified, report.tail) == (None, 29, 2)
    assert (said.returncode, said.stdout) == (0, "ok\n")


def test_both_pass_over_what_is_too_long_for_a_note(program: Path, book: Book, tmp_path: Path) -> None:
    """Anybody may put a megabyte among the checkpoints; neither verifier is stopped by it."""
    export(tmp_path / "log", book.records, [b"\x01" * 1_000_000, *book.notes])
    report, said = both(program, tmp_path / "log", book.pins.genesis)
    assert (report.fault, said.stdout) == (None, "ok\n")


@pytest.mark.parametrize("tamper", TAMPERINGS)
def test_both_find_what_was_done(program: Path, book: Book, tmp_path: Path, tamper: Tamper) -> None:
    """Each change is found by both, at the same place or, by the second, one behind it."""
    records, notes = list(book.records), list(book.notes)
    tamper(records, notes)
    export(tmp_path / "log", records, notes)
    report, said = both(program, tmp_path / "log", book.pins.genesis)
    assert report.fault is not None
    assert said.returncode == 1
    named = re.match(r"record (\d+)", said.stdout)
    assert named is not None, said.stdout
    assert report.fault.seq <= int(named[1]) <= report.fault.until + 1


def test_a_fault_is_told_as_what_it_is(book: Book) -> None:
    """A record behind what is proven is at fault itself; a root that is right under another name is no edited log."""
    for tamper, found in (
        (name_another_behind_a_checkpoint, ("edited", 14, 14, "it names another record before it")),
        (call_it_another_log, ("forged", 14, 19, "calls the log 'driftline.example/other'")),
    ):
        records, notes = list(book.records), list(book.notes)
        tamper(records, notes)
        fault = Verifier(book.pins, notes).run(records).fault
        assert fault is not None
        assert (fault.kind, fault.seq, fault.until) == found[:3]
        assert found[3] in fault.why


def test_both_say_the_same_of_anything(program: Path, book: Book, tmp_path: Path) -> None:
    """Of 100 logs that were changed at random, both accept the same ones, and name the same places in the others."""
    draw, accepted = random.Random(7), 0
    for number in range(100):
        records, notes = list(book.records), list(book.notes)
        tampered(records, notes, draw)
        folder = tmp_path / f"log-{number}"
        export(folder, records, notes)
        report, said = both(program, folder, book.pins.genesis)
        assert (report.fault is None and report.is_anchored) == (said.returncode == 0), (
            report.fault,
            said.stdout,
        )
        accepted += said.returncode == 0
        named = re.match(r"record (\d+)", said.stdout)
        if report.fault is not None and named is not None:
            assert report.fault.seq <= int(named[1]) <= report.fault.until + 1
    assert 10 < accepted < 60


def test_it_reads_names_as_they_are_written(program: Path, book: Book, tmp_path: Path) -> None:
    """Go's reader of JSON takes `WITNESSES` for `witnesses`; a trust that writes it so has none."""
    first = book.records[0].replace(b'"witnesses"', b'"WITNESSES"')
    tree = Frontier()
    tree.push(leaf_hash(first))
    note = Checkpoint("driftline.example/test", 1, tree.root()).signed(
        "driftline.example/test", key("checkpoint")
    )
    export(tmp_path / "log", [first], [cosigned(note, WITNESS, key("witness"), NOON_MS // 1_000).to_bytes()])
    report, said = both(program, tmp_path / "log", digest(first))
    assert report.fault is not None
    assert (said.returncode, "no witness" in said.stdout) == (1, True)


def test_both_find_a_roll_back_by_memory(program: Path, book: Book, tmp_path: Path) -> None:
    """Where log and notes are those of an earlier day, both name the first record that is missing."""
    head = Verifier(book.pins, book.notes).run(book.records).head
    notes = [note for note in book.notes if Checkpoint.of(Note.parse(note)).size <= 21]
    export(tmp_path / "log", book.records[:21], notes)
    report, said = both(program, tmp_path / "log", book.pins.genesis)
    assert (report.fault, said.returncode) == (None, 0)
    report, said = both(program, tmp_path / "log", book.pins.genesis, head)
    assert report.fault is not None
    assert (report.fault.kind, report.fault.seq) == ("rolled-back", 21)
    assert (said.returncode, said.stdout[:20]) == (1, "record 21 is missing")


def test_both_refuse_an_empty_log(program: Path, book: Book, tmp_path: Path) -> None:
    """Where there is no record at all, neither is content."""
    export(tmp_path / "log", [], book.notes)
    report, said = both(program, tmp_path / "log", book.pins.genesis)
    assert report.fault is not None
    assert (report.fault.kind, said.returncode) == ("truncated", 1)


def test_both_believe_no_log_alone(program: Path, book: Book, tmp_path: Path) -> None:
    """A log whose checkpoints no witness signed is whole, and nothing vouches for it."""
    alone = [Note(note.text, note.signatures[:1]).to_bytes() for note in map(Note.parse, book.notes)]
    export(tmp_path / "log", book.records, alone)
    report, said = both(program, tmp_path / "log", book.pins.genesis)
    assert (report.fault, report.is_anchored) == (None, False)
    assert said.returncode == 1
    assert "no witness" in said.stdout
