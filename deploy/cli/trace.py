"""`driftline trace`: which version made a prediction, of what, how it turned out, and who put that version there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.audit_source import genesis_option, pinned, what_lies
from driftline.deploy.cli.commands import CommandEntry
from driftline.deploy.cli.group import MissingExtraError
from driftline.deploy.cli.output import json_option, print_json
from driftline.deploy.cli.telling import telling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.deploy.control.inclusion import Claim
    from driftline.deploy.control.traced import Traced


@click.command("trace")
@click.argument("prediction_id", metavar="ID")
@click.option("--deployment", metavar="D", help="Only predictions of this deployment.")
@click.option(
    "--verify", "to_verify", is_flag=True, help="Prove by the audit in Kafka what is said of people."
)
@genesis_option
@json_option
def command(
    prediction_id: str, deployment: str | None, to_verify: bool, genesis: str | None, as_json: bool
) -> None:
    """Show all that is known of prediction ID: an application's own id, or the UUID that the emitter made.

    Its version, slot and revision stay for years after its features are gone. With --verify the whole audit is
    verified, signatures too, and the record that put the version there is proved to lie in it and to say what is shown.
    """
    from driftline.deploy.control.traced import traced
    from driftline.deploy.local.discover import settings_here

    settings = settings_here(os.environ, Path.cwd())
    with telling("looking for the prediction"):
        found = traced(settings, prediction_id, deployment)
    proofs: dict[int, dict[str, Any]] = {}
    if to_verify:
        claims = [(one.place, one.placed) for one in found]
        with telling("verifying the audit"):
            proofs = _proofs(claims, genesis)
    for number, one in enumerate(found):
        facts = {**one.facts(), **({"proof": proofs.get(one.seq)} if to_verify else {})}
        if as_json:
            print_json(facts)
            continue
        if number:
            click.echo()
        _show(one, proofs.get(one.seq) if to_verify else None)


def _proofs(claims: Sequence[Claim], genesis: str | None) -> dict[int, dict[str, Any]]:
    try:
        from driftline.deploy.control.inclusion import included
    except ModuleNotFoundError as error:
        raise MissingExtraError(CommandEntry("trace --verify", "control", ""), str(error.name)) from error
    settings, read, notes = what_lies(None)
    return included(pinned(settings, genesis), read, notes, claims)


def _show(one: Traced, proof: dict[str, Any] | None) -> None:
    for name, text in one.lines():
        click.echo(f"{click.style(name.ljust(12), bold=True)}{text}")
    if proof is not None:
        who = ", ".join(proof["witnesses"])
        by = f", signed by {who} too" if who else ", which no witness has signed yet"
        click.echo(
            f"{click.style('proof'.ljust(12), bold=True)}record {proof['seq']} lies in the verified audit of "
            f"{proof['size']:,} records{by}"
        )
