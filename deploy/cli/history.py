"""`driftline history`: who changed what in a deployment, who approved, and what stood at a time."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.audit_source import (
    every_note,
    export_option,
    genesis_option,
    pinned,
    signatures_option,
    what_lies,
)
from driftline.deploy.cli.output import json_option, print_json
from driftline.deploy.cli.telling import telling
from driftline.deploy.cli.values import Moment, milliseconds

if TYPE_CHECKING:
    from driftline.agents.audit.record import AuditRecord
    from driftline.deploy.control.past import Target


@click.command("history")
@click.argument("deployment")
@click.option(
    "--at", type=Moment(), metavar="T", help="Say what stood at this UTC time, in place of what was done."
)
@export_option
@genesis_option
@signatures_option
@json_option
def command(
    deployment: str, at: datetime | None, folder: Path | None, genesis: str | None, signatures: bool, as_json: bool
) -> None:  # fmt: skip
    """Show what was asked, decided and done in DEPLOYMENT, oldest first, each with its number in the audit.

    The audit is verified first: chain, tree, changes of trust and checkpoints. Who asked and who approved is the
    controller's word unless --signatures checks that too. A proof of one record is 'driftline audit prove SEQ'.
    """
    from driftline.deploy.control.errors import AskingError
    from driftline.deploy.control.past import past_of, told_of
    from driftline.deploy.control.stood import stood_lines, stood_table

    if not deployment:
        raise AskingError("no deployment is named: give its name")
    settings, read, notes = what_lies(folder)
    again = every_note(settings, folder)
    pin = pinned(settings, genesis)
    if at is not None:
        with telling("verifying the audit"):
            past = past_of(read(), notes, pin, milliseconds(at), every_note=again, signatures=signatures)
        state = past.ledger.desk.states.get(deployment)
        if state is None:
            raise AskingError(f"the audit tells of nothing in {deployment!r} until {at}")
        table = stood_table(past, state)
        if as_json:
            print_json(table)
            return
        for line in stood_lines(table):
            click.echo(line)
        return
    with telling("verifying the audit"):
        rows = told_of(deployment, read(), notes, pin, _table, every_note=again, signatures=signatures)
    if not rows:
        raise AskingError(f"the audit tells of nothing in {deployment!r}")
    for row in rows:
        if as_json:
            print_json(row)
        else:
            click.echo(_line(row))


def _table(record: AuditRecord, target: Target | None) -> dict[str, Any]:
    from driftline.agents.control.grants import is_glass_broken
    from driftline.deploy.control.shown import moment

    return {
        "audit_seq": record.seq,
        "at": moment(record.decided_at_ms),
        "event": record.event,
        "op": record.op,
        "version": None if record.model is None else record.model.version,
        "target": None if target is None else target._asdict(),
        "by": record.actor or (record.detail or {}).get("by") or record.agent or None,
        "approvers": list(record.approvers),
        "break_glass": is_glass_broken(record.envelope),
        "revision": record.revision_after,
        "reject": record.reject,
        "reasons": list(record.reasons),
        "checks": [{"name": one.name, "passed": one.passed, "detail": one.detail} for one in record.checks],
        "command": record.command,
    }


def _line(found: dict[str, Any]) -> str:
    target = found["target"]
    parts = (
        found["event"],
        found["op"],
        found["version"],
        f"of {target['op']} {target['version'] or ''}".rstrip() if target else "",
        f"by {found['by']}" if found["by"] else "",
        f"approved by {', '.join(found['approvers'])}" if found["approvers"] else "",
        "with the glass broken" if found["break_glass"] else "",
        f"revision {found['revision']}" if found["revision"] is not None else "",
        f"({found['reject']})" if found["reject"] else "",
        *found["reasons"],
    )
    return f"{found['audit_seq']:>6}  {found['at']}  {' '.join(part for part in parts if part)}"
