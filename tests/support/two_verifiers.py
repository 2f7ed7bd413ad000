"""The verifier in Go and ours, over one export."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec

import driftline.agents.audit
from driftline.agents.audit.checkpoint import Checkpoint
from driftline.agents.audit.export import exported_notes, exported_records
from driftline.agents.audit.record import AuditRecord
from driftline.agents.audit.report import Pins, Report
from driftline.agents.audit.verify import Verifier

SOURCE = Path(driftline.agents.audit.__file__).resolve().parent / "verifier"


def spoilt(record: bytes, **over: object) -> bytes:
    """A record with other fields."""
    return msgspec.structs.replace(AuditRecord.from_bytes(record), **over).to_bytes()


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
