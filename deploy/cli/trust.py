"""`driftline trust`: who holds which key and which role: the first record of the audit, and its changes."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.asking import How, ask, asking_options
from driftline.deploy.cli.audit_source import in_force, settings_of_stack
from driftline.deploy.cli.group import Group
from driftline.deploy.cli.output import json_option, print_json

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board


@click.group("trust", cls=Group)
def command() -> None:
    """Say who holds which key and which role: once, to begin an installation, and again when it changes."""


@command.command("template")
def template_command() -> None:
    """Print a trust file to fill in, with the id of a new installation."""
    from driftline.agents.control.trust_file import template
    from driftline.schemas.ids import RANDOM_BYTES_PER_ID, new_ids

    now_ms = time.time_ns() // 1_000_000
    made = uuid.UUID(bytes=new_ids(1, now_ms, os.urandom(RANDOM_BYTES_PER_ID)))
    click.echo(template(str(made)), nl=False)


@command.command("show")
@json_option
def show_command(as_json: bool) -> None:
    """Print the trust that holds, as the verified audit says: a trust file, to be changed and set.

    It has no names of persons, which the audit never had. A key that was revoked is a comment: it cannot come back.
    """
    from msgspec import to_builtins

    from driftline.agents.control.trust_file import written

    state = in_force().ring.state
    if as_json:
        print_json(to_builtins(state))
        return
    click.echo(f"# Version {state.version}, with the policy {state.policy}.")
    click.echo(written(state), nl=False)


@command.command("init")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--policy", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="The policy to begin with, in Cedar; default: the packaged one ('driftline policy show').",
)  # fmt: skip
@json_option
def init(file: Path, policy: Path | None, as_json: bool) -> None:
    """Make the first record of the audit of the trust file FILE, and print its digest.

    The digest is what everybody pins, as the setting control.genesis: the controller, agents, the archive, whoever
    verifies. It is done once; an audit that has a record is left as it is.
    """
    from driftline.agents.audit.record import TOPIC, digest
    from driftline.agents.audit.writer import begin
    from driftline.agents.control.trust_file import read_trust_file
    from driftline.deploy.control.errors import AskingError
    from driftline.deploy.control.policies import usable
    from driftline.deploy.control.wire import is_empty, publish

    trust, rules = read_trust_file(file).trust, usable(policy)
    kafka = settings_of_stack("controller").kafka
    if not is_empty(kafka):
        raise AskingError("the audit has a first record already: trust is changed with 'driftline trust set'")
    _, record = begin(trust, rules.text, time.time_ns() // 1_000_000)
    publish(kafka, TOPIC, record)
    made = digest(record)
    if as_json:
        print_json({"genesis": made, "installation": trust.installation, "policy": rules.digest})
        return
    click.echo(f"installation {trust.installation} has begun; pin its first record everywhere:")
    click.echo(f"export DRIFTLINE_CONTROL_GENESIS={made}")


@command.command("set")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@asking_options()
def set_command(file: Path, how: How) -> int:
    """Let the trust file FILE hold from now on; root keys sign it, of the old root and of a new one.

    What was signed before is judged by what held then. The names of persons stay in the file.
    """
    from msgspec import to_builtins

    from driftline.agents.control.trust_file import read_trust_file

    trust = read_trust_file(file).trust

    def fields(board: Board) -> dict[str, Any]:
        return {"trust": to_builtins(trust), "expected_revision": board.trust_version}

    return ask("trust-set", how, fields)
