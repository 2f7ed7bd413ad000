"""`driftline inventory`: every deployment, who answers for it, who looked at it, and what serves where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from driftline.deploy.cli.audit_source import (
    every_note,
    export_option,
    genesis_option,
    pinned,
    signatures_option,
    what_lies,
)
from driftline.deploy.cli.output import json_option, print_json, print_table
from driftline.deploy.cli.telling import telling

HEAD = (
    "deployment",
    "tier",
    "serves",
    "standing",
    "owner",
    "oversight",
    "validated",
    "next review",
    "instances",
    "purpose",
    "audit",
)


@click.command("inventory")
@export_option
@genesis_option
@signatures_option
@json_option
def command(folder: Path | None, genesis: str | None, signatures: bool, as_json: bool) -> None:
    """List every deployment: owner, purpose, tier, validation, oversight, next review, what serves where.

    All of it comes out of the verified audit; what a model's people say is in the signed manifest that was registered.
    Who asked and who approved is the controller's word unless --signatures checks that too.
    """
    from driftline.deploy.control.past import past_of
    from driftline.deploy.control.stood import inventory_table

    settings, read, notes = what_lies(folder)
    again = every_note(settings, folder)
    with telling("verifying the audit"):
        past = past_of(read(), notes, pinned(settings, genesis), every_note=again, signatures=signatures)
    states = past.ledger.desk.states
    tables = [inventory_table(past, states[name]) for name in sorted(states)]
    if as_json:
        for table in tables:
            print_json(table)
        return
    if not tables:
        click.echo("the audit tells of no deployment yet: 'driftline register' makes the first")
        return
    print_table(HEAD, [_cells(table) for table in tables])


def _halted(halt: dict[str, Any]) -> str:
    return "halted" if halt["instead"] is None else f"halted, {halt['instead']} answers"


def _cells(table: dict[str, Any]) -> tuple[str, ...]:
    from driftline.deploy.control.shown import GLASS

    champion, validated = table["champion"], table["validated"]
    return (
        table["deployment"],
        table["tier"],
        "nothing" if champion is None else champion["version"] + (GLASS if champion["break_glass"] else ""),
        _halted(table["halt"]) if table["halt"] else "retired" if table["retired"] else table["standing"],
        table["owner"] or "",
        table["oversight"] or "",
        "" if validated is None else f"by {validated['by']}",
        table["next_review"] or "",
        ", ".join(table["instances"]),
        table["purpose"] or "",
        str(table["audit_seq"]),
    )
