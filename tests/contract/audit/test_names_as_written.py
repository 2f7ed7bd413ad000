"""Both verifiers read fields by their names as the format writes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from audit_logs import NOON_MS, WITNESS, Book
from signed import key
from two_verifiers import both, spoilt

from driftline.agents.audit.checkpoint import Checkpoint, cosigned
from driftline.agents.audit.export import export
from driftline.agents.audit.record import digest
from driftline.agents.audit.tree import Frontier, leaf_hash

pytestmark = pytest.mark.needs("go", "golang-go")
ORIGIN = "driftline.example/test"


@pytest.mark.parametrize(
    ("at", "old", "new", "is_good"),
    [
        (28, b'{"schema"', b'{"SEQ":1,"schema"', True),
        (28, b"}", b',"Prev_hash":1}', True),
        (28, b'"schema"', b'"SCHEMA"', False),
        (28, b'"event"', b'"EVENT"', False),
        (28, b'"decided_at_ms"', b'"Decided_at_ms"', False),
        (24, b'{\\"payload\\"', b'{\\"SIGNATURES\\":null,\\"payload\\"', True),
        (24, b'"envelope"', b'"ENVELOPE"', False),
        (24, b'"op"', b'"OP"', False),
    ],
)
def test_both_pass_over_names_of_other_letters(
    program: Path,
    book: Book,
    tmp_path: Path,
    at: int,
    old: bytes,
    new: bytes,
    is_good: bool,  # noqa: FBT001 - a case
) -> None:
    """A field SEQ is not seq: it means nothing, in a record and in an envelope, and stands for none that is missing."""
    records = list(book.records)
    records[at] = new.join(records[at].rsplit(old, 1))
    assert records[at] != book.records[at]
    for later in range(at + 1, len(records)):
        records[later] = spoilt(records[later], prev_hash=digest(records[later - 1]))
    tree = Frontier()
    for record in records:
        tree.push(leaf_hash(record))
    note = Checkpoint(ORIGIN, len(records), tree.root()).signed(ORIGIN, key("checkpoint-2"))
    export(tmp_path / "log", records, [cosigned(note, WITNESS, key("witness"), NOON_MS // 1_000).to_bytes()])
    report, said = both(program, tmp_path / "log", book.pins.genesis)
    found = (report.fault is None and report.is_anchored, said.returncode == 0)
    assert found == (is_good, is_good), (report.fault, said.stdout)
