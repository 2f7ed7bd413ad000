"""Inclusion: what the archive says of the audit, proved by the audit itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.agents.audit.checkpoint import Checkpoint
from driftline.agents.audit.proof_file import prove
from driftline.agents.audit.proofs import is_included
from driftline.agents.audit.record import digest
from driftline.agents.audit.report import Pins
from driftline.agents.audit.tree import leaf_hash
from driftline.agents.audit.verify import Verifier
from driftline.deploy.control.errors import TraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


def included(
    genesis: str, read: Callable[[], Iterator[bytes]], notes: list[bytes], digests: Mapping[int, str]
) -> dict[int, dict[str, Any]]:
    """Prove records of the audit by their seq, and that the archive's copies of them are true ones.

    Args:
        genesis: the pinned digest of record 0.
        read: gives all records at each call.
        notes: the checkpoints beside them.
        digests: seq to the sha256 of the record, as the archive has it.

    Returns:
        seq to seq, size (of the checkpoint that it lies in) and witnesses (who signed that too).

    Raises:
        TraceError: the audit is not as it was written, no checkpoint covers a record, or a copy differs.
        AuditError: the audit cannot be read.
    """
    report = Verifier(Pins(genesis), notes).run(read())
    if report.fault is not None:
        raise TraceError(f"nothing of this audit is proved: {report.fault}")
    if report.note is None:
        raise TraceError(
            "the audit has no checkpoint yet: nothing can be proved until the controller signs one"
        )
    head = Checkpoint.of(report.note)
    found = {}
    for seq, copy in digests.items():
        proof = prove(seq, read(), report.note)
        if not is_included(leaf_hash(proof.record), seq, head.size, proof.hashes, head.root):
            raise TraceError(
                f"record {seq} does not lead to the root of the checkpoint of {head.size:,} records"
            )
        if digest(proof.record) != copy:
            raise TraceError(
                f"the archive's copy of record {seq} is not what the audit holds: what it says of people is not "
                "true; see the view audit_gaps, and read the record with 'driftline audit prove'"
            )
        found[seq] = {"seq": seq, "size": head.size, "witnesses": list(report.witnesses)}
    return found
