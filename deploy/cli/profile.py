"""`driftline profile`: build the reference of a model version from a table, publish it, show it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.deploy.cli.group import Group
from driftline.deploy.cli.output import json_option, print_json
from driftline.deploy.cli.telling import telling
from driftline.deploy.cli.values import FiniteRange

if TYPE_CHECKING:
    from driftline.schemas.profile import Profile
    from driftline.schemas.settings import Settings

SCORES = ("held-out", "out-of-fold", "in-sample")


@click.group("profile", cls=Group)
def command() -> None:
    """Build the reference of a model version from a table, publish it, show it.

    A profile says what a model's inputs and scores looked like when all was well; windows of live predictions
    are compared with it.
    """


@command.command("build")
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--deployment", metavar="D", required=True, help="Name of the deployment.")
@click.option("--version", "version", metavar="V", required=True, help="Version of the model.")
@click.option("--columns", "mapping", metavar="FILE", type=click.Path(path_type=Path), help="A mapping.toml.")
@click.option(
    "--scores",
    type=click.Choice(SCORES),
    help="Where the table's scores come from; without a word they are taken as in-sample, and not compared.",
)
@click.option(
    "--resolutions", metavar="1h,1d", help="Widths to count; default: those with 200 rows, and days."
)
@click.option(
    "--threshold",
    type=FiniteRange(0, 1),
    metavar="X",
    help="Where a score is cut when a row names no class; 0.5.",
)
@click.option(
    "--positive-class",
    metavar="C",
    help="The class of two that a score is the probability of; without a word the one that says yes (1, true, yes, y, "
    "positive), else the last by name.",
)
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Where the profile is written.")
@json_option
def build(
    table: Path,
    deployment: str,
    version: str,
    mapping: Path | None,
    *,
    scores: str | None,
    resolutions: str | None,
    threshold: float | None,
    positive_class: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Build a profile from TABLE (parquet, CSV or Arrow).

    What each column is - feature, score, predicted class, target, timestamp, id - is guessed and shown; a
    mapping overrides the guess, one line a column: [columns] age = {role = "feature", type = "number"}.
    """
    from rich.console import Console

    from driftline.deploy.tables.build import build_from_table
    from driftline.deploy.tables.plan import plan_table
    from driftline.deploy.tables.profile_files import profile_path, save_profile
    from driftline.deploy.tables.resolutions import parse_resolutions
    from driftline.deploy.tables.show import plan_view
    from driftline.deploy.tables.summary import profile_facts, profile_view

    settings = _settings(required=False)
    chosen = None if resolutions is None else parse_resolutions(resolutions)
    with telling(f"reading {table.name}"):
        planned = plan_table(table, mapping)
    console = Console(stderr=as_json)
    console.print(plan_view(planned.plan, f"{table.name}: {planned.rows:,} rows, {planned.source.format}"))
    with telling("building the profile"):
        built = build_from_table(
            planned,
            deployment,
            version,
            provenance=scores,
            resolutions=chosen,
            threshold=threshold,
            positive_class=positive_class,
        )
    path = profile_path(settings, deployment, version) if out is None else out
    save_profile(built.profile, path)
    console.print()
    console.print(profile_view(built.profile, built.windows, planned.plan.left_out))
    _warn(built.profile)
    if as_json:
        print_json({**profile_facts(built.profile), "file": str(path)})
        return
    named = f" {path}" if out is not None else f" --deployment {deployment} --version {version}"
    console.print(
        f"\nWritten to {path}. Next: driftline profile publish{named}", soft_wrap=True, highlight=False
    )


@command.command("publish")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--deployment", metavar="D", help="Name of the deployment; with --version, instead of FILE.")
@click.option("--version", metavar="V", help="Version of the model.")
@json_option
def publish(file: Path | None, deployment: str | None, version: str | None, as_json: bool) -> None:
    """Publish a profile for the workers: FILE, the one built for a deployment and version, or the one built last.

    A version has one profile for ever: publishing the same one again changes nothing, another one is refused. In an
    installation under control (control.genesis is set) only a profile whose digest a signed register names goes there;
    the controller publishes it by itself when the package holds it and it knows the store.
    """
    from driftline.deploy.tables.shelf import publish as put

    settings = _settings(required=True, role="publisher")
    profile = _from_file(settings, file, deployment, version)
    if settings.control.genesis:
        _must_be_registered(settings, profile)
    is_new = put(settings, profile)
    if as_json:
        print_json(
            {"deployment": profile.deployment, "model_version": profile.model_version, "published": is_new}
        )
        return
    what = f"{profile.deployment} {profile.model_version} (digest {profile.digest()[:12]})"
    click.echo(f"published {what}" if is_new else f"{what} is published already, and the same: nothing to do")


@command.command("show")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--deployment", metavar="D", help="Name of the deployment: shows what is published for it.")
@click.option("--version", metavar="V", help="Version of the model.")
@json_option
def show(file: Path | None, deployment: str | None, version: str | None, as_json: bool) -> None:
    """Show a profile: that of FILE, or the published one of a deployment and version."""
    from rich.console import Console

    from driftline.deploy.tables.profile_files import load_profile
    from driftline.deploy.tables.shelf import published_profile
    from driftline.deploy.tables.summary import profile_facts, profile_view

    if file is not None:
        profile = load_profile(file)
    else:
        name, of = _named(deployment, version)
        profile = published_profile(_settings(required=True), name, of)
    if as_json:
        print_json(profile_facts(profile))
    else:
        Console().print(profile_view(profile))
    _warn(profile)


def _warn(profile: Profile) -> None:
    """Doubt the positive class on stderr where the reference's scores speak for the other one."""
    from driftline.deploy.tables.positive_class import positive_class_of

    positive = positive_class_of(profile)
    if positive is not None and positive.warning is not None:
        click.echo(f"driftline: warning: {positive.warning}", err=True)


def _must_be_registered(settings: Settings, profile: Profile) -> None:
    """Raise AskingError unless a signed register names the profile."""
    from contextlib import closing

    from driftline.deploy.cli.audit_source import pinned
    from driftline.deploy.control.board import Board
    from driftline.deploy.control.errors import AskingError
    from driftline.deploy.control.wire import wire_of

    with closing(wire_of(settings.kafka)) as wire:
        state = Board(wire, pinned(settings, None)).desk.states.get(profile.deployment)
    versions = () if state is None else state.versions
    named = {one.profile for one in versions if one.model.version == profile.model_version}
    if profile.digest() not in named:
        raise AskingError(
            f"no register names the profile {profile.digest()} for {profile.deployment} {profile.model_version}: "
            "'driftline register' comes first"
        )


def _settings(*, required: bool, role: str = "operator") -> Settings:
    """Give the settings; with `required` those of a stack that runs."""
    from driftline.deploy.local.discover import load_here, settings_here

    cwd = Path.cwd()
    return settings_here(os.environ, cwd, role=role) if required else load_here(os.environ, cwd)


def _from_file(settings: Settings, file: Path | None, deployment: str | None, version: str | None) -> Profile:
    from driftline.deploy.tables.profile_files import load_profile, newest_profile, profile_path

    if file is not None:
        return load_profile(file)
    if deployment is None and version is None:
        return load_profile(newest_profile(settings))
    return load_profile(profile_path(settings, *_named(deployment, version)))


def _named(deployment: str | None, version: str | None) -> tuple[str, str]:
    if deployment is None or version is None:
        raise click.UsageError("give a profile FILE, or both --deployment and --version")
    return deployment, version
