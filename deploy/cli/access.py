"""`driftline access`: who may do what in Kafka and ClickHouse, shown, made and set on any cluster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.deploy.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings

_folder = click.Path(path_type=Path, file_okay=False)


@click.group("access")
def command() -> None:
    """Give every process and person a user of its own, which may do what its role needs and nothing else.

    'driftline up --secure' does all of this by itself for the stack on this machine.
    """


@command.command("new")
@click.argument("folder", type=_folder)
@click.option("--again", "again", multiple=True, metavar="ROLE", help="Make this role's passwords anew.")
@json_option
def new(folder: Path, again: tuple[str, ...], as_json: bool) -> None:
    """Make a settings file with random passwords in FOLDER for each role that has none.

    Addresses, TLS and the prefix come from the settings. A process is given its role by
    DRIFTLINE_CONFIG=FOLDER/ROLE.toml.
    """
    from driftline.deploy.access import files

    unknown = [name for name in again if name not in files.NAMES]
    if unknown:
        raise click.UsageError(f"no role {unknown[0]!r}; there are {', '.join(files.NAMES)}")
    made = files.make(folder, _settings(), again)
    if as_json:
        for name in files.NAMES:
            print_json({"role": name, "file": str(files.file_of(folder, name)), "new": name in made})
        return
    kept = len(files.NAMES) - len(made)
    click.echo(f"{folder}: {len(made)} role files made, {kept} kept their passwords")


@command.command("kafka")
@click.option("--apply", "folder", type=_folder, metavar="FOLDER", help="Set them, with these role files.")
@click.option("--acls-only", is_flag=True, help="Make no users: they are kept elsewhere.")
@json_option
def kafka(folder: Path | None, acls_only: bool, as_json: bool) -> None:
    """Show the ACLs of Kafka, or set users and ACLs on the cluster of the settings.

    Setting them needs a user who may ALTER the cluster; ACLs of these users that are not in the table are removed.
    """
    from driftline.schemas.access import ROLES, grants, user_of

    settings = _settings()
    prefix = settings.kafka.topic_prefix
    if folder is not None:
        from driftline.deploy.access import kafka as cluster

        users, made, removed = cluster.apply(settings, {} if acls_only else cluster.passwords(folder))
        told = {"users": users, "acls_made": made, "acls_removed": removed}
        if as_json:
            print_json(told)
        else:
            click.echo(f"{users} users set, {made} ACLs made, {removed} taken away")
        return
    rows = [(role.name, user_of(role.name, prefix), one) for role in ROLES for one in grants(role, prefix)]
    if as_json:
        for name, user, one in rows:
            print_json(
                {
                    "role": name,
                    "principal": f"User:{user}",
                    "resource": one.kind,
                    "name": one.name,
                    "pattern": "prefixed" if one.is_prefix else "literal",
                    "operation": one.action,
                    "permission": "allow",
                }
            )
        return
    shown = [(user, one.action, one.kind, one.name + ("*" if one.is_prefix else "")) for _, user, one in rows]
    print_table(("user", "may", "on", "name"), shown)


@command.command("clickhouse")
@click.option("--apply", "folder", type=_folder, metavar="FOLDER", help="Set them, with these role files.")
@json_option
def clickhouse(folder: Path | None, as_json: bool) -> None:
    """Show the SQL that makes the users of ClickHouse, or set them on the server of the settings.

    Setting them needs a user with access management. In what is shown, SHA-256-OF-THE-PASSWORD stands for that.
    """
    from driftline.streams.clickhouse.users import ROLES, statements

    settings = _settings()
    if folder is not None:
        from driftline.deploy.access import clickhouse as server

        users = server.apply(settings, server.passwords(folder))
        if as_json:
            print_json({"users": users})
        else:
            click.echo(f"{users} users set")
        return
    for role in ROLES:
        for statement in statements(role, settings.clickhouse.database, "SHA-256-OF-THE-PASSWORD"):
            if as_json:
                print_json({"role": role.name, "statement": statement})
            else:
                click.echo(statement + ";")


def _settings() -> Settings:
    from driftline.deploy.local.discover import load_here

    return load_here(os.environ, Path.cwd())
