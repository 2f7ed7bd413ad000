"""The verifier in Go and ours, over one export."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import msgspec
from audit_logs import NOON_MS

import driftline.agents.audit
from driftline.agents.audit.chain import Chain
from driftline.agents.audit.checkpoint import Checkpoint
from driftline.agents.audit.export import exported_notes, exported_records
from driftline.agents.audit.record import AuditRecord, digest
from driftline.agents.audit.report import Pins, Report
from driftline.agents.audit.verify import Verifier
from driftline.agents.control.trust import policy_digest
from driftline.schemas.control.command import Command
from driftline.schemas.control.envelope import Envelope
from driftline.schemas.control.trust import Revocation, Trust, TrustState

SOURCE = Path(driftline.agents.audit.__file__).resolve().parent / "verifier"


def spoilt(record: bytes, **over: object) -> bytes:
    """A record with other fields."""
    return msgspec.structs.replace(AuditRecord.from_bytes(record), **over).to_bytes()


def claimed(records: list[bytes], envelope: Envelope, op: str, **over: Any) -> None:
    """Let one more record claim that a command took effect, and name what that would lead to; `over` says otherwise."""
    chain = Chain(digest(records[0]))
    for data in records:
        chain.take(data)
    after = _led_to(chain.believed.state, Command.from_bytes(envelope.body), NOON_MS)
    fields: dict[str, Any] = {
        "seq": len(records),
        "prev_hash": digest(records[-1]),
        "event": "effective",
        "decided_at_ms": NOON_MS,
        "op": op,
        "command": envelope.digest,
        "envelope": envelope.to_bytes().decode(),
        "policy": after.policy,
        "trust": after.digest,
    }
    records.append(AuditRecord(**(fields | over)).to_bytes())


def _led_to(state: TrustState, command: Command, at_ms: int) -> TrustState:
    """What a command makes of trust, whoever signed it for whatever."""
    made: dict[str, Any] = {"version": state.version + (command.op != "log-reset")}
    if command.op == "policy-set":
        made["policy"] = policy_digest(command.policy or "")
    elif command.op == "trust-set":
        made["trust"] = msgspec.convert(command.trust, type=Trust)
    elif command.op == "key-revoke":
        gone = Revocation(
            key=command.key or "", revoked_at_ms=at_ms, compromised_since_ms=command.compromised_since_ms
        )
        made["revocations"] = (*state.revocations, gone)
    return msgspec.structs.replace(state, **made)


def both(
    program: Path, folder: Path, genesis: str, remembered: Checkpoint | None = None
) -> tuple[Report, subprocess.CompletedProcess[str]]:
    """Let both verify an export."""
    report = Verifier(Pins(genesis, remembered), exported_notes(folder)).run(exported_records(folder))
    memory = [] if remembered is None else [f"{remembered.size}:{remembered.root.hex()}"]
    said = subprocess.run(
        [str(program), genesis, str(folder), *memory], capture_output=True, text=True, check=False
    )
    return report, said
