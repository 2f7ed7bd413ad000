"""`driftline compare`: two tables held against each other without Kafka, with the figures of the stream."""

from __future__ import annotations

from pathlib import Path

import click

from driftline.deploy.cli.output import json_option, print_json
from driftline.deploy.cli.telling import telling


@click.command("compare")
@click.argument("reference", type=click.Path(path_type=Path))
@click.argument("current", type=click.Path(path_type=Path))
@click.option("--columns", "mapping", metavar="FILE", type=click.Path(path_type=Path), help="A mapping.toml.")
@click.option(
    "--scores",
    type=click.Choice(["held-out", "out-of-fold", "in-sample"]),
    help="Where the reference's scores come from; without a word they are taken as in-sample.",
)
@click.option(
    "--resolution",
    metavar="5m|1h|1d|7d|1M",
    help="Width of windows whose own variation to allow for; default: the span of CURRENT's times.",
)
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page to look at.")
@json_option
def command(
    reference: Path,
    current: Path,
    mapping: Path | None,
    scores: str | None,
    resolution: str | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Compare CURRENT with REFERENCE (parquet, CSV or Arrow): what moved, how far, and how sure that is.

    The same figures and verdicts as of a window of the stream. With a column of times the verdicts allow for how
    much the reference's own windows differ from each other; without one nothing is more than a warning.
    """
    from rich.console import Console

    from driftline.deploy.compare.files import compare_files
    from driftline.deploy.compare.page import page, write_page
    from driftline.deploy.compare.shown import entries_of
    from driftline.deploy.compare.view import view

    with telling("comparing"):
        compared = compare_files(reference, current, mapping=mapping, scores=scores, resolution=resolution)
    found = compared.found
    entries = entries_of(found)
    if html is not None:
        write_page(html, page(found, entries, reference.name, current.name))
    if as_json:
        for figure in found.figures:
            print_json(
                {
                    "kind": figure.kind,
                    "feature": figure.feature,
                    "metric": figure.metric,
                    "value": figure.value,
                    "thresholds": {"null": figure.null, "floor": figure.floor, "block": figure.block},
                    "verdict": figure.verdict,
                    "reason": figure.reason,
                    "rows": figure.rows,
                    "reference_rows": figure.reference_rows,
                    "level": figure.level,
                    "resolution": found.resolution,
                }
            )
        return
    console = Console()
    console.print(view(found, entries))
    left_out = [one.name for one in compared.plan.left_out]
    if left_out:
        console.print(
            f"\nLeft out: {', '.join(left_out)} (`driftline profile build` says why).", highlight=False
        )
    if html is not None:
        console.print(f"\nWritten to {html}.", soft_wrap=True, highlight=False)
