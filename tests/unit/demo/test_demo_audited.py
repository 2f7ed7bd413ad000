"""The demo's look at its audit: a copy with one byte changed is found where it was changed; swaps are counted."""

from __future__ import annotations

import uuid
from pathlib import Path

import msgspec
import pytest
from audit_logs import new_book
from signed import model

from driftline.agents.audit.export import RECORDS, export
from driftline.agents.audit.record import AuditRecord, digest
from driftline.deploy.demo.audited import swaps, tampered, verified
from driftline.schemas.control.command import Plan, Step
from driftline.schemas.control.serving_state import Rollout, ServingState


@pytest.mark.parametrize("seq", [1, 3])
def test_a_changed_byte_is_found_in_its_record(tmp_path: Path, seq: int) -> None:
    """The export verifies, its copy does not, and what is named is the record that was changed; the export stays."""
    made = new_book()
    for number in range(5):
        made.write("told", reasons=(f"reason {number}",))
    export(tmp_path / "audit", made.records, [])
    pin = digest(made.records[0])
    before = (tmp_path / "audit" / RECORDS).read_bytes()
    assert verified(pin, tmp_path / "audit").fault is None
    tampered(tmp_path / "audit", tmp_path / "copy", seq, "reason", "seasom")
    report = verified(pin, tmp_path / "copy")
    assert report.fault is not None
    assert (report.fault.kind, report.fault.seq, report.fault.until) == ("edited", seq, seq)
    assert (tmp_path / "audit" / RECORDS).read_bytes() == before


def told(seq: int, deployment: str = "churn", **fields: object) -> AuditRecord:
    """Return the record of a revision."""
    whole = {
        "deployment": deployment,
        "revision": seq + 1,
        "audit_seq": seq,
        "decided_at_ms": 0,
        "tier": "low",
    }
    state = ServingState(**{**whole, **fields})  # type: ignore[arg-type]
    return AuditRecord(
        seq=seq, prev_hash="0" * 64, event="moved", decided_at_ms=0, deployment=deployment,
        detail={"state": state.to_bytes().decode()},
    )  # fmt: skip


def test_swaps_are_revisions_after_which_something_else_is_asked() -> None:
    """A shadow, a canary and its weight, a champion count; a revision that changes none of them does not."""
    one, two = model("1"), model("2")
    rollout = Rollout(
        rollout_id=str(uuid.UUID(int=1)),
        model=two,
        weight=500,
        step=0,
        step_since_ms=0,
        plan=Plan(steps=(Step(weight=500),)),
    )
    records = [
        told(0, champion=one),
        told(1, champion=one),
        told(2, champion=one, shadows=(two,)),
        told(3, champion=one, rollout=rollout),
        told(4, deployment="others", champion=two),
        told(5, champion=one, rollout=msgspec.structs.replace(rollout, passed=True)),
        told(6, champion=two, previous=one),
        told(7, champion=two),
    ]
    assert swaps(records, "churn", 0) == 3
    assert swaps(records, "churn", 3) == 2
