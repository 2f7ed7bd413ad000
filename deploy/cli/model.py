"""`driftline model`: make a package of a model, look into one, verify it, push it to a store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.group import Group
from driftline.deploy.cli.model_pack import MIB, pack, trust_option
from driftline.deploy.cli.output import json_option, print_json, print_table
from driftline.deploy.cli.telling import telling
from driftline.deploy.cli.values import FiniteRange

if TYPE_CHECKING:
    from driftline.agents.serving.package.signed import Signed
    from driftline.agents.serving.package.trial import Trial
    from driftline.schemas.settings import Settings


@click.group("model", cls=Group)
def command() -> None:
    """Make a package of a model, look into one, verify it, push it to a store.

    A package is a folder: the model, rows whose answers are known, the reference profile, and a signed manifest that
    lists them all. It is what serves, and nothing else does.
    """


command.add_command(pack)


@command.command("inspect")
@click.argument("package", type=click.Path(path_type=Path))
@json_option
def inspect(package: Path, as_json: bool) -> None:
    """Show what the manifest of PACKAGE says, and who signed it; neither signature nor files are checked."""
    import msgspec

    from driftline.deploy.control.manifests import packaged

    signed, _ = packaged(package)
    manifest = signed.manifest
    if as_json:
        print_json({**_facts(signed), "manifest": msgspec.to_builtins(manifest)})
        return
    click.echo(f"{manifest.title}: {manifest.purpose}")
    rows = [
        ("digest", signed.digest),
        ("signed by", ", ".join(one.keyid for one in signed.envelope.signatures)),
        ("format", manifest.format + (f", {manifest.architecture}" if manifest.architecture else "")),
        ("owner", manifest.owner),
        ("risk tier", manifest.tier),
        ("oversight", manifest.oversight),
        ("target", manifest.target + (f" ({', '.join(manifest.classes)})" if manifest.classes else "")),
        ("training data", manifest.training_data),
        ("profile", manifest.profile.digest if manifest.profile is not None else "none"),
        ("scores", f"{_listed([score.name for score in manifest.scores])}, {manifest.provenance}"),
        ("segments", _listed(manifest.segments)),
        (
            "golden rows",
            f"{manifest.golden.rows}, rtol {manifest.golden.rtol:g}, atol {manifest.golden.atol:g}",
        ),
    ]
    for name, value in rows:
        click.echo(f"{name:<14}{value}")
    click.echo()
    tensors = [("input", each) for each in manifest.inputs] + [("output", each) for each in manifest.outputs]
    print_table(
        ("", "tensor", "type", "shape", "columns"),
        [
            (role, each.name, each.datatype, str(list(each.shape)), _listed(each.columns))
            for role, each in tensors
        ],
    )
    print_table(
        ("file", "bytes", "sha256"), [(file.path, f"{file.size:,}", file.sha256) for file in manifest.files]
    )


@command.command("verify")
@click.argument("package", type=click.Path(path_type=Path))
@click.option(
    "--by",
    "signers",
    metavar="KEY",
    multiple=True,
    help="A public key that may sign packages, as 'driftline keys new' prints it; may be repeated.",
)
@click.option(
    "--trial", "tried", is_flag=True, help="Also load it and ask its golden rows, in a process of its own."
)
@click.option(
    "--memory-mb", type=click.IntRange(1, 1 << 20), default=4096, show_default=True, help="Of the trial."
)
@click.option(
    "--timeout", type=FiniteRange(0.1, 3600), default=60.0, show_default=True, help="Of the trial, s."
)
@trust_option
@json_option
def verify_command(
    package: Path,
    signers: tuple[str, ...],
    *,
    tried: bool,
    memory_mb: int,
    timeout: float,
    trusted: tuple[str, ...],
    as_json: bool,
) -> None:
    """Hold PACKAGE against its manifest: who signed it, each file, what is inside; exits with 1 when it is broken."""
    from driftline.agents.serving.package.trial import Bounds, trial
    from driftline.agents.serving.package.verify import verify

    if not signers:
        raise click.UsageError("name at least one key that may sign packages: --by KEY")
    with telling(f"verifying {package}"):
        signed = verify(package, keys_of(signers))
    went: Trial | None = None
    if tried:
        bounds = Bounds(memory_bytes=memory_mb * MIB, timeout_s=timeout)
        with telling("asking its golden rows"):
            went = trial(package, signed.manifest, trusted=trusted, bounds=bounds)
        went.require()
    if as_json:
        print_json({**_facts(signed), "trial": None if went is None else _told(went)})
        return
    who = ", ".join(keyid[:16] for keyid in sorted(signed.signers))
    click.echo(f"{signed.manifest.title} is sound ({signed.digest[:16]}…), signed by {who}")
    if went is not None:
        stages = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in went.seconds.items())
        click.echo(f"its trial took {went.total_s:.2f} s ({stages}) and {went.memory_bytes / MIB:,.0f} MiB")


@command.command("push")
@click.argument("package", type=click.Path(path_type=Path))
@json_option
def push(package: Path, as_json: bool) -> None:
    """Put PACKAGE into the store that DRIFTLINE_PACKAGES_STORE names; what is there already stays as it is.

    Its files are verified first; who may sign packages is for those to check who take it.
    """
    from driftline.agents.serving.package.stores import store_of
    from driftline.agents.serving.package.verify import verify

    store = store_of(_settings().packages, make=True)
    signed = verify(package, None)
    with telling(f"copying to {store.place}"):
        new = store.push(package, signed)
    if as_json:
        print_json({**_facts(signed), "store": store.place, "new_files": new})
        return
    click.echo(f"{signed.manifest.title} is in {store.place} ({new} new files), manifest {signed.digest}")


def keys_of(signers: tuple[str, ...]) -> dict[str, bytes]:
    """Read public keys as `driftline keys new` prints them; raises click.UsageError for a text that is none."""
    from driftline.agents.control.keys import public_of
    from driftline.agents.control.signing import key_id

    try:
        return {key_id(public): public for public in map(public_of, signers)}
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _facts(signed: Signed) -> dict[str, Any]:
    manifest = signed.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "digest": signed.digest,
        "format": manifest.format,
        "signed_by": [one.keyid for one in signed.envelope.signatures],
        "profile": None if manifest.profile is None else manifest.profile.digest,
    }


def _told(went: Trial) -> dict[str, Any]:
    return {
        "outcome": went.outcome,
        "total_s": went.total_s,
        "seconds": went.seconds,
        "memory_bytes": went.memory_bytes,
    }


def _listed(names: tuple[str, ...] | list[str]) -> str:
    """Some names, and how many more there are."""
    shown = 6
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more or "none"


def _settings() -> Settings:
    from driftline.deploy.local.discover import load_here

    return load_here(os.environ, Path.cwd())
