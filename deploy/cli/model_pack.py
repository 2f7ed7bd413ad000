"""`driftline model pack`: an ONNX, skops or safetensors file becomes a package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.deploy.cli.output import json_option, print_json
from driftline.deploy.cli.telling import telling
from driftline.deploy.cli.values import FiniteRange

if TYPE_CHECKING:
    from driftline.agents.serving.package.pack import Packed
    from driftline.agents.serving.package.rows import Rows
    from driftline.schemas.profile import Profile

TENSOR_SUFFIXES = (".json", ".npz")
MIB = 1 << 20

trust_option = click.option(
    "--trust", "trusted", metavar="TYPE", multiple=True,
    help="A Python type that a skops file may hold, by its full name; may be repeated.",
)  # fmt: skip


@click.command("pack")
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--about", metavar="FILE", type=click.Path(path_type=Path), required=True,
    help="What people say of the model: a TOML file (docs/packages.md).",
)  # fmt: skip
@click.option(
    "--rows", metavar="FILE", type=click.Path(path_type=Path), required=True,
    help="Rows that the model is asked with: a table by column, or tensors (.npz, or the JSON of a v2 request).",
)  # fmt: skip
@click.option(
    "--key", "keys", metavar="FILE", type=click.Path(path_type=Path), required=True, multiple=True,
    help="A key file that signs; may be repeated.",
)  # fmt: skip
@click.option(
    "--out", metavar="FOLDER", type=click.Path(path_type=Path), required=True, help="Where it is made."
)
@click.option(
    "--profile", metavar="FILE", type=click.Path(path_type=Path),
    help="The reference profile, as 'driftline profile build' wrote it.",
)  # fmt: skip
@click.option(
    "--training-data", "data", metavar="FILE", type=click.Path(path_type=Path),
    help="The data that the model learnt from, for its digest; else training_data in --about says it.",
)  # fmt: skip
@click.option("--version", metavar="V", help="Of the model; goes before what --about says.")
@trust_option
@click.option(
    "--memory-mb",
    type=click.IntRange(1, 1 << 20),
    default=4096,
    show_default=True,
    help="What the model may take while it is packed.",
)
@click.option(
    "--timeout",
    type=FiniteRange(0.1, 86_400),
    default=300.0,
    show_default=True,
    help="How long it may take to load and to answer the rows, s.",
)
@click.option("--as-is", is_flag=True, help="Leave an estimator an estimator, though it could become ONNX.")
@json_option
def pack(
    source: Path,
    *,
    about: Path,
    rows: Path,
    keys: tuple[Path, ...],
    out: Path,
    profile: Path | None,
    data: Path | None,
    version: str | None,
    trusted: tuple[str, ...],
    memory_mb: int,
    timeout: float,
    as_is: bool,
    as_json: bool,
) -> None:
    """Make a package of SOURCE, an ONNX, skops or safetensors file: its content tells which.

    The model is asked with the rows; the answers become its golden rows, which it has to give again wherever it is
    loaded. That is done in a process of its own, within bounds of time and memory, that holds no key. A scikit-learn
    estimator (skops) becomes ONNX where that answers alike. A pickle is refused, always.
    """
    from driftline.agents.control.keys import load
    from driftline.agents.serving.package.about import read_about
    from driftline.agents.serving.package.pack import Order, pack_file
    from driftline.agents.serving.package.trial import Bounds
    from driftline.deploy.control.files import file_digest

    given = {"version": version, "training_data": None if data is None else file_digest(data)}
    order = Order(
        about=read_about(about, given),
        rows=_rows(rows),
        out=out,
        signers=[load(key) for key in keys],
        profile=None if profile is None else _profile(profile),
    )
    with telling("asking the model and packing it"):
        bounds = Bounds(memory_bytes=memory_mb * MIB, timeout_s=timeout)
        made = pack_file(source, order, trusted=trusted, convert=not as_is, bounds=bounds)
    if as_json:
        print_json(_facts(made))
        return
    manifest = made.signed.manifest
    click.echo(
        f"{manifest.title} is packed as {manifest.format} in {made.folder}, manifest {made.signed.digest}"
    )
    if made.kept_because:
        click.echo(f"it stays an estimator: {made.kept_because}")
    click.echo(f"Next: driftline model push {made.folder}")


def _rows(path: Path) -> Rows:
    if path.suffix.lower() in TENSOR_SUFFIXES:
        from driftline.agents.serving.package.rows import read_rows

        return read_rows(path)
    from driftline.agents.serving.package.errors import PackageError
    from driftline.agents.serving.package.rows import MAX_ROWS

    try:
        from driftline.deploy.tables.sample import sample
        from driftline.deploy.tables.source import open_table
    except ModuleNotFoundError as error:
        raise PackageError(
            f"reading the table {path} needs the Python module {error.name!r}: pip install 'driftline[local]', or give "
            "the rows as .npz or .json"
        ) from error
    return sample(open_table(path), MAX_ROWS)


def _profile(path: Path) -> Profile:
    from driftline.agents.serving.package.inside import read_profile

    return read_profile(path.parent, path.name)


def _facts(made: Packed) -> dict[str, Any]:
    manifest = made.signed.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "digest": made.signed.digest,
        "format": manifest.format,
        "folder": str(made.folder),
        "files": len(manifest.files),
        "bytes": manifest.total_bytes,
        "golden_rows": manifest.golden.rows,
        "spread": made.spread,
        "kept_because": made.kept_because or None,
    }
