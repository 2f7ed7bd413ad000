"""The guess as a person sees it, before anything is built from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from driftline.deploy.tables.roles import ColumnPlan, TablePlan

ROLE_STYLES = {
    "ignore": "dim",
    "timestamp": "cyan",
    "score": "magenta",
    "predicted": "magenta",
    "target": "yellow",
}


def plan_view(plan: TablePlan, title: str) -> Table:
    """Lay a plan out as a table: column, role, type, why; the columns that take part first."""
    view = Table(title=Text(title), title_justify="left", box=None, pad_edge=False, header_style="bold")
    view.add_column("column", overflow="fold")
    view.add_column("role")
    view.add_column("read as")
    view.add_column("why")
    for one in sorted(plan.columns, key=lambda column: column.role == "ignore"):
        style = ROLE_STYLES.get(one.role, "")
        role = "left out" if one.role == "ignore" else one.role + (" + segment" if one.segment else "")
        # Text, not markup: a column may be named [bold].
        view.add_row(
            Text(one.name, style), Text(role, style), Text(_read_as(one), style), Text(one.reason, style)
        )
    return view


def _read_as(one: ColumnPlan) -> str:
    if one.role == "ignore":
        return ""
    policy = "" if one.policy == "keep" else f", {one.policy}"
    return one.type + policy
