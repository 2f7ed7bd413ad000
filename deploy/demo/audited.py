"""The audit of the demo: verified whole, and a copy of it in which one byte is another."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from driftline.agents.audit.export import RECORDS, export, exported_notes, exported_records
from driftline.agents.audit.record import AuditRecord
from driftline.agents.audit.report import Pins
from driftline.agents.audit.topic import Whole
from driftline.agents.audit.verify import Verifier
from driftline.schemas.control.serving_state import ServingState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from driftline.agents.audit.report import Report
    from driftline.schemas.settings import Settings


def exported(settings: Settings, folder: Path) -> list[AuditRecord]:
    """Export the audit to a folder, and give its records."""
    whole = Whole(settings.kafka)
    export(folder, whole.records(), whole.notes())
    return [AuditRecord.from_bytes(one) for one in exported_records(folder)]


def verified(genesis: str, folder: Path) -> Report:
    """Verify an export with every signature in it."""
    return Verifier(Pins(genesis), exported_notes(folder), signatures=True).run(exported_records(folder))


def tampered(folder: Path, copy: Path, seq: int, word: str, other: str) -> None:
    """Copy an export, and put one byte of a record in the copy in another's place.

    Args:
        folder: the export.
        copy: of the copy.
        seq: which record.
        word: a text in it.
        other: the same with one byte changed.
    """
    shutil.copytree(folder, copy)
    lines = list(exported_records(copy))
    lines[seq] = lines[seq].replace(word.encode(), other.encode(), 1)
    (copy / RECORDS).write_bytes(b"".join(line + b"\n" for line in lines))


def swaps(records: Iterable[AuditRecord], deployment: str, since: int) -> int:
    """Count the revisions from a record on after which other versions answer, or are asked, than before.

    Args:
        records: all of them, in their order.
        deployment: which.
        since: seq of the first record that counts.
    """
    before: tuple[Any, ...] | None = None
    found = 0
    for one in records:
        state = (one.detail or {}).get("state")
        if state is None or one.deployment != deployment:
            continue
        now = _asked(state)
        found += one.seq >= since and before is not None and now != before
        before = now
    return found


def _asked(state: str) -> tuple[Any, ...]:
    """What is asked in a state: the champion, the canary with its weight, the shadows."""
    found = ServingState.from_bytes(state.encode())
    rollout = found.rollout
    canary = None if rollout is None else (rollout.model.version, rollout.weight)
    champion = None if found.champion is None else found.champion.version
    return champion, canary, tuple(sorted(one.version for one in found.shadows))
