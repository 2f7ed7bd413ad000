"""Inclusion: what the archive says of the audit, proved by the audit itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from driftline.agents.audit.checkpoint import Checkpoint
from driftline.agents.audit.proof_file import prove
from driftline.agents.audit.proofs import is_included
from driftline.agents.audit.record import AuditRecord, digest
from driftline.agents.audit.report import Pins
from driftline.agents.audit.tree import leaf_hash
from driftline.agents.audit.verify import Verifier
from driftline.deploy.control.errors import TraceError
from driftline.deploy.control.placing import Placing
from driftline.streams.clickhouse.trace_reads import served_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

Row = dict[str, Any]
Claim = tuple[Row, Row | None]
"""Where something answered, and what the archive says of who put it there."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_TRUE: Final = (
    "what it says of people is not true; see the view audit_gaps, and read the record with "
    "'driftline audit prove'"
)


def included(
    genesis: str, read: Callable[[], Iterator[bytes]], notes: list[bytes], claims: Iterable[Claim]
) -> dict[int, Row]:
    """Prove that what the archive says of people is what the audit says: which record it was, and what it holds.

    Args:
        genesis: the pinned digest of record 0.
        read: gives all records at each call.
        notes: the checkpoints beside them.
        claims: rows of `lineage`, each with the row of the audit's copy that `trace_reads.placed` gives for it.

    Returns:
        seq to seq, size (of the checkpoint that it lies in) and witnesses (who signed that too).

    Raises:
        TraceError: the audit is not as it was written and signed, no checkpoint covers a record, or a row differs.
        AuditError: the audit cannot be read.
    """
    report = Verifier(Pins(genesis), notes, signatures=True).run(read())
    if report.fault is not None:
        raise TraceError(f"nothing of this audit is proved: {report.fault}")
    if report.note is None:
        raise TraceError(
            "the audit has no checkpoint yet: nothing can be proved until the controller signs one"
        )
    head = Checkpoint.of(report.note)
    claims = list(claims)
    held: dict[int, bytes] = {}
    for row in _as_placed(claims, read()):
        seq = row["seq"]
        if seq not in held:
            proof = prove(seq, read(), report.note)
            if not is_included(leaf_hash(proof.record), seq, head.size, proof.hashes, head.root):
                raise TraceError(
                    f"record {seq} does not lead to the root of the checkpoint of {head.size:,} records"
                )
            held[seq] = proof.record
        _hold(row, held[seq])
    return {seq: {"seq": seq, "size": head.size, "witnesses": list(report.witnesses)} for seq in held}


def _as_placed(claims: Sequence[Claim], records: Iterable[bytes]) -> list[Row]:
    """The rows that the archive names; raises TraceError unless the audit names the same records for these places."""
    placings = [
        Placing(place["deployment"], place["model_version"], place["slot"], _ms(served_at(place)))
        for place, _ in claims
    ]
    for record in map(AuditRecord.from_bytes, records):
        for placing in placings:
            placing.take(record)
    rows = []
    for placing, (_, row) in zip(placings, claims, strict=True):
        told = -1 if row is None else int(row["seq"])
        if told != placing.seq:
            says, truth = (f"record {one}" if one >= 0 else "no record" for one in (told, placing.seq))
            raise TraceError(
                f"the archive says that {says} put version {placing.version} of {placing.deployment} there, and the "
                f"audit says {truth}: {_NOT_TRUE}"
            )
        if row is not None:
            rows.append(row)
    return rows


def _ms(at: datetime) -> int:
    return (at.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)


def _hold(row: Row, data: bytes) -> None:
    """Hold a row of the archive, and the copy in it, against the record that was proved; raises TraceError."""
    if row["record"] != data or row["digest"] != digest(data):
        raise TraceError(
            f"the archive's copy of record {row['seq']} is not what the audit holds: {_NOT_TRUE}"
        )
    record = AuditRecord.from_bytes(data)
    model = record.model
    said = {
        **row,
        "approvers": tuple(row["approvers"]),
        "decided_at": row["decided_at"].replace(tzinfo=UTC),
    }
    for name, held in (
        ("event", record.event),
        ("op", record.op or ""),
        ("actor", record.actor),
        ("approvers", record.approvers),
        ("deployment", record.deployment),
        ("model", "" if model is None else model.name),
        ("model_version", "" if model is None else model.version),
        ("manifest", "" if model is None else model.manifest),
        ("decided_at", _EPOCH + timedelta(milliseconds=record.decided_at_ms)),
    ):
        if said[name] != held:
            raise TraceError(
                f"the archive says of record {row['seq']} that its {name} is {str(said[name])[:200]!r}, and the audit "
                f"says {str(held)[:200]!r}: {_NOT_TRUE}"
            )
