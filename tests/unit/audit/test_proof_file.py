"""Exports and proofs as files: what is written, what is read back, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from audit_logs import Book, filled
from hypothesis import given
from hypothesis import strategies as st

from driftline.agents.audit.believed import Believed
from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.export import export, exported_notes, exported_records
from driftline.agents.audit.notes import Note
from driftline.agents.audit.proof_file import Proof, prove
from driftline.agents.audit.record import AuditRecord

BOOK: Book = filled(30)
BELIEVED = Believed.first(AuditRecord.from_bytes(BOOK.records[0]))
NOTE = Note.parse(BOOK.notes[-1])
PROOF = prove(7, BOOK.records, NOTE)


@given(st.integers(0, 29))
def test_every_record_is_proved(seq: int) -> None:
    """The proof of a record survives as text, holds by the keys alone, and holds for no other record."""
    proof = Proof.parse(prove(seq, BOOK.records, NOTE).to_bytes())
    assert proof.record == BOOK.records[seq]
    found = proof.check(BELIEVED.logs, BELIEVED.witnesses)
    assert (found.checkpoint.size, [name for name, _ in found.witnesses]) == (30, ["witness.example/1"])
    other = Proof(BOOK.records[(seq + 1) % 30], seq, proof.hashes, proof.note)
    with pytest.raises(AuditError, match="calls itself another one"):
        other.check(BELIEVED.logs, BELIEVED.witnesses)


def test_a_proof_that_was_changed_does_not_hold() -> None:
    """Another record, another hash, or a checkpoint by an unknown key is told in a sentence."""
    edited = BOOK.records[7].replace(b"number 7", b"number 8")
    with pytest.raises(AuditError, match="does not lead from record 7"):
        Proof(edited, 7, PROOF.hashes, NOTE).check(BELIEVED.logs, BELIEVED.witnesses)
    with pytest.raises(AuditError, match="does not lead from record 7"):
        Proof(PROOF.record, 7, PROOF.hashes[::-1], NOTE).check(BELIEVED.logs, BELIEVED.witnesses)
    with pytest.raises(AuditError, match="signed by no key of the log"):
        PROOF.check(BELIEVED.witnesses, BELIEVED.logs)


def test_what_no_checkpoint_covers_is_not_proved() -> None:
    """A record behind the last checkpoint, or one that the log lacks, has no proof."""
    with pytest.raises(AuditError, match="no checkpoint covers record 30 yet"):
        prove(30, BOOK.records, NOTE)
    with pytest.raises(AuditError, match="record 29 cannot be proved"):
        prove(29, BOOK.records[:20], NOTE)


@given(st.binary(max_size=200), st.integers(0, len(PROOF.to_bytes())), st.integers(0, 40))
def test_any_proof_is_survived(noise: bytes, at: int, cut: int) -> None:
    """A proof with bytes cut out and put in is refused, or is the same."""
    good = PROOF.to_bytes()
    for data in (noise, good[:at] + noise + good[at + cut :]):
        try:
            Proof.parse(data).check(BELIEVED.logs, BELIEVED.witnesses)
        except AuditError:
            continue
        assert Proof.parse(data).record == PROOF.record


def test_an_export_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Records and notes come back byte by byte, whatever is in them but newlines; the format page lies beside them."""
    records = [*BOOK.records, b"", b"\r", b"\x00\xff"]
    assert export(tmp_path / "log", records, [*BOOK.notes, b"\xff"]) == 33
    assert list(exported_records(tmp_path / "log")) == records
    assert list(exported_notes(tmp_path / "log")) == BOOK.notes
    assert sorted(file.name for file in (tmp_path / "log").iterdir()) == [
        "FORMAT.md", "checkpoints.ndjson", "records.ndjson",
    ]  # fmt: skip


def test_an_export_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """A folder that is there is not written over, and records that stop coming leave nothing behind."""
    (tmp_path / "log").mkdir()
    with pytest.raises(AuditError, match="is there already"):
        export(tmp_path / "log", [], [])

    def broken() -> object:
        yield BOOK.records[0]
        raise AuditError("Kafka went away")

    with pytest.raises(AuditError, match="went away"):
        export(tmp_path / "other", broken(), [])  # type: ignore[arg-type]  # a generator that ends badly
    assert [file.name for file in tmp_path.iterdir()] == ["log"]
    with pytest.raises(AuditError, match=r"cannot be read: records\.ndjson"):
        list(exported_records(tmp_path / "log"))
