"""View: a comparison in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from driftline.deploy.compare.shown import Entry
from driftline.streams.windows.comparison import Comparison

STYLES = {"fail": "bold red", "warn": "yellow", "ok": "green", "inconclusive": "dim"}


def view(found: Comparison, entries: Sequence[Entry]) -> Table:
    """Lay a comparison out as a table: one line a column, and one for each fault of its data."""
    title = f"{found.rows:,} rows against {found.reference_rows:,}, judged as a window of {found.resolution}"
    table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.add_column("column", overflow="fold")
    table.add_column("verdict")
    table.add_column("psi", justify="right")
    table.add_column("moved, σ", justify="right")
    table.add_column("why", overflow="fold")
    for entry in entries:
        psi = entry.psi
        # Text, not markup: a column may be named [bold].
        table.add_row(
            Text(entry.name),
            _verdict(str(psi.verdict)),
            _number(psi.value),
            _number(entry.figures.get("w1_sigma")),
            Text(psi.reason),
        )
        for fault in entry.faults:
            table.add_row(Text(""), _verdict(str(fault.verdict)), "", "", Text(fault.reason))
    return table


def _verdict(verdict: str) -> Text:
    return Text(verdict, STYLES[verdict])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
