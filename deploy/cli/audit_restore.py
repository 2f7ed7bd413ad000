"""`driftline audit restore`: an export back in Kafka, where the topic was lost or holds what no controller signed."""

from __future__ import annotations

from pathlib import Path

import click

from driftline.deploy.cli.audit_source import genesis_option, pinned, settings_of_stack
from driftline.deploy.cli.output import json_option, print_json
from driftline.deploy.cli.telling import telling


@click.command("restore")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@genesis_option
@json_option
def restore(folder: Path, genesis: str | None, as_json: bool) -> None:
    """Write the export in FOLDER to the topics of the audit, which must be empty, as far as controllers signed it.

    For a log that was lost, or that no controller goes on with because somebody else wrote behind its signed end. Stop
    controllers, witnesses and the archive first, export what is there, delete the topics audit and checkpoints, and
    make them anew with 'driftline migrate --topics'. An export that lacks records that were signed is refused.
    """
    from driftline.agents.audit.export import exported_notes, exported_records
    from driftline.deploy.control.restored import require_empty, signed_part
    from driftline.deploy.control.restored import restore as write

    settings = settings_of_stack("controller")
    with telling("restoring the audit"):
        signed = signed_part(
            pinned(settings, genesis), exported_records(folder), list(exported_notes(folder))
        )
        require_empty(settings.kafka)
        write(settings.kafka, exported_records(folder), signed)
    if as_json:
        print_json({"records": signed.size, "left_out": signed.behind, "checkpoints": len(signed.notes)})
        return
    click.echo(f"{signed.size:,} records and {len(signed.notes):,} checkpoints are restored")
    if signed.behind:
        click.echo(f"{signed.behind:,} records behind them are left out: no controller signed them")
