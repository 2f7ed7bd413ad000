"""`driftline policy`: whether a policy can be used, what it says to a question, and setting it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.asking import How, ask, asking_options
from driftline.deploy.cli.audit_source import in_force
from driftline.deploy.cli.group import Group
from driftline.deploy.cli.output import json_option, print_json

if TYPE_CHECKING:
    from driftline.deploy.control.board import Board

STAGES = ("registered", "validated", "shadow", "canary", "champion", "rolled_back", "retired")


@click.group("policy", cls=Group)
def command() -> None:
    """Check, explain and set who may do what: rules in Cedar, by role and tier.

    A rule that errs denies, whatever it would have said.
    """


in_force_option = click.option(
    "--in-force", "is_in_force", is_flag=True, help="The one that holds, as the verified audit says."
)


@command.command("show")
@in_force_option
@json_option
def show(is_in_force: bool, as_json: bool) -> None:
    """Print the packaged policy, to be changed and set."""
    from driftline.agents.control.policy import default_policy

    found = in_force().policy if is_in_force else default_policy()
    if as_json:
        print_json({"digest": found.digest, "policy": found.text})
    else:
        click.echo(found.text, nl=False)


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def check(file: Path, as_json: bool) -> None:
    """Say whether the policy in FILE can be set: it fits the schema, and an installation can live with it."""
    from driftline.deploy.control.policies import usable

    found = usable(file)
    if as_json:
        print_json({"file": str(file), "digest": found.digest})
    else:
        click.echo(f"{file} can be set: policy {found.digest}")


@command.command("explain")
@click.argument("op")
@click.option(
    "--role", "roles", multiple=True, required=True, metavar="NAME", help="Of whoever asks; several."
)
@click.option(
    "--tier", type=click.Choice(["low", "medium", "high"]), default="high", show_default=True, help="Of risk."
)
@click.option("--stage", type=click.Choice(STAGES), help="Of the model; default: the one on the usual path.")
@click.option(
    "--approvers", type=click.IntRange(0, 100), default=0, show_default=True, help="Humans who approved."
)
@click.option("--system", is_flag=True, help="Whoever asks is no human.")
@click.option("--break-glass", is_flag=True, help="With the glass broken.")
@click.option("--own", is_flag=True, help="They registered what they validate.")
@click.option(
    "--policy",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Default: the packaged one.",
)
@in_force_option
@json_option
def explain(
    *,
    op: str, roles: tuple[str, ...], tier: str, stage: str | None, approvers: int, system: bool, break_glass: bool,
    own: bool, policy: Path | None, is_in_force: bool, as_json: bool,
) -> None:  # fmt: skip
    """Say whether OP is allowed to somebody with these roles, which rule decides, and how many more must approve.

    OP is one of those in the audit: register, promote, halt-serving, approve and the like.
    """
    from driftline.deploy.control.policies import explained, policy_of, somebody

    if is_in_force and policy is not None:
        raise click.UsageError("--policy names a policy, and --in-force another one: give one of them")
    asked = in_force().policy if is_in_force else policy_of(policy)
    found = explained(
        asked, op, somebody(roles, is_system=system), tier=tier, stage=stage, approvers=approvers,
        break_glass=break_glass, own=own,
    )  # fmt: skip
    if as_json:
        print_json(found.table)
    else:
        click.echo(found.sentence)


@command.command("set")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@asking_options()
def set_command(file: Path, how: How) -> int:
    """Let the policy in FILE hold from now on; root keys sign it.

    Commands that wait are judged by it when they take effect; what took effect before stands.
    """
    from driftline.deploy.control.policies import usable

    text = usable(file).text

    def fields(board: Board) -> dict[str, Any]:
        return {"policy": text, "expected_revision": board.trust_version}

    return ask("policy-set", how, fields)
