"""`driftline keys`: key files are made, keys are listed, and a key that is not to be trusted any more is revoked."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.asking import How, ask, asking_options
from driftline.deploy.cli.audit_source import in_force
from driftline.deploy.cli.group import Group
from driftline.deploy.cli.output import json_option, print_json, print_table
from driftline.deploy.cli.values import Moment, milliseconds

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board


@click.group("keys", cls=Group)
def command() -> None:
    """Make, list and revoke the keys that sign commands, states and checkpoints."""


@command.command("new")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def new(file: Path, as_json: bool) -> None:
    """Make an Ed25519 key in FILE, which only you can read, and print what others may know of it.

    The public half goes into the trust file. The key never leaves its file; a file that is there is never written over.
    """
    from driftline.agents.control.keys import new as new_key
    from driftline.agents.control.keys import public_text

    made = new_key(file)
    if as_json:
        print_json({"file": str(file), "keyid": made.keyid, "public": public_text(made.public)})
    else:
        click.echo(f"{file}: key {made.keyid}")
        click.echo(f"public half, for the trust file: {public_text(made.public)}")


@command.command("list")
@click.argument("files", type=click.Path(path_type=Path, dir_okay=False), nargs=-1)
@json_option
def list_command(files: tuple[Path, ...], as_json: bool) -> None:
    """List the keys of the installation, as the verified audit says: whose each is, and whether it is revoked.

    Keys of the log and of witnesses have their vkey, which 'driftline audit verify --proof FILE --key VKEY' asks for.
    With FILES, the public halves of those key files instead.
    """
    from driftline.deploy.control.people import key_rows

    rows = _of_files(files) if files else key_rows(in_force().ring.state)
    if as_json:
        for row in rows:
            print_json(row)
        return
    head = tuple(rows[0]) if rows else ()
    print_table(head, [tuple(str(value) for value in row.values()) for row in rows])


@command.command("revoke")
@click.argument("keyid")
@click.option(
    "--compromised-since", type=Moment(), metavar="T",
    help="From when what it signed is doubted (UTC); 'driftline audit verify' lists what leans on it since.",
)  # fmt: skip
@asking_options()
def revoke(keyid: str, compromised_since: datetime | None, how: How) -> int:
    """Let the key KEYID count no more, for good; root keys sign it."""

    def fields(board: Board) -> dict[str, Any]:
        return {
            "key": keyid,
            "compromised_since_ms": milliseconds(compromised_since),
            "expected_revision": board.trust_version,
        }

    if re.fullmatch(r"[0-9a-f]{64}", keyid) is None:
        raise click.UsageError(
            f"{keyid!r} is no key id; 64 hex digits as 'driftline keys list' prints them are"
        )
    return ask("key-revoke", how, fields)


def _of_files(files: tuple[Path, ...]) -> list[dict[str, str]]:
    from driftline.agents.control.keys import load, public_text

    found = [(file, load(file)) for file in files]
    return [{"file": str(file), "keyid": key.keyid, "public": public_text(key.public)} for file, key in found]
