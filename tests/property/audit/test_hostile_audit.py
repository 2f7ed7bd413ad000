"""Bytes from anyone, as records, notes and proofs: refused in a sentence, with little memory."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from audit_logs import Book, filled
from audit_tampering import mutated, tampered
from examples import many
from hypothesis import example, given, settings
from hypothesis import strategies as st
from signed import command

from driftline.agents.audit.checkpoint import Checkpoint
from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.notes import Note
from driftline.agents.audit.record import AuditRecord, Link
from driftline.agents.audit.report import Pins
from driftline.agents.audit.verify import Verifier

MEGABYTES = 1_000_000
BOOK: Book = filled(12, every=4)
BOOK.decide(command("promote"), "ann", approvers=("bob",))
READERS: tuple[Callable[[bytes], Any], ...] = (
    AuditRecord.from_bytes,
    Link.from_bytes,
    Note.parse,
    lambda data: Checkpoint.of(Note.parse(data)),
)
GOOD = (BOOK.records[-1], BOOK.records[0], BOOK.notes[-1])


def survives(data: bytes) -> None:
    """Read bytes in every way; what is not taken is refused in one line."""
    for read in READERS:
        with suppress(AuditError):
            read(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_survived(data: bytes) -> None:
    """Random bytes are refused."""
    survives(data)


@settings(max_examples=many(300))
@given(st.sampled_from(GOOD), st.integers(0, 2**32))
def test_mutations_of_good_bytes_are_survived(data: bytes, seed: int) -> None:
    """Good bytes with cuts, repetitions and insertions are refused or read."""
    draw = random.Random(seed)
    for _ in range(10):
        survives(mutated(data, draw))


@settings(max_examples=many(200))
@given(st.integers(0, 2**32))
@example(158_158)
def test_a_log_of_anything_is_reported_on(seed: int) -> None:
    """Whatever was mutated, lost, doubled or mixed, no changed record is called verified but the last one."""
    draw = random.Random(seed)
    records, notes = list(BOOK.records), list(BOOK.notes)
    tampered(records, notes, draw)
    report = Verifier(Pins(BOOK.pins.genesis), notes, signatures=draw.random() < 0.5).run(records)
    assert report.records == len(records)
    same = 0
    while same < min(len(records), len(BOOK.records)) and records[same] == BOOK.records[same]:
        same += 1
    assert report.witnessed <= same
    fault = report.fault
    if fault is None or (fault.kind, fault.seq) == ("truncated", len(records)):
        assert same >= len(records) - 1
    else:
        assert report.verified <= fault.seq <= same


@pytest.mark.parametrize("unit", [b"[", b'{"a":', b'"', b"\n", b"\xe2\x80\x94 a AAAA\n", b"9"])
def test_much_of_anything_takes_little_memory(unit: bytes) -> None:
    """Two megabytes of brackets, quotes, lines or digits are refused with little more memory than they have."""
    data = unit * (2 * MEGABYTES // len(unit))
    tracemalloc.start()
    survives(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * MEGABYTES
