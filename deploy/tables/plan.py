"""From a file to a plan: open, look once, guess, and lay the mapping over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.deploy.tables.guess import guess
from driftline.deploy.tables.mapping import apply_mapping, read_mapping
from driftline.deploy.tables.scan import scan
from driftline.deploy.tables.source import open_table

if TYPE_CHECKING:
    from pathlib import Path

    from driftline.deploy.tables.roles import TablePlan
    from driftline.deploy.tables.source import TableSource


def plan_table(path: Path, mapping: Path | None = None) -> tuple[TableSource, TablePlan, int]:
    """Open a table and say what each column is.

    Args:
        path: a parquet, CSV or Arrow file.
        mapping: a mapping file that overrides the guess.

    Returns:
        The source, the plan, and the number of rows.

    Raises:
        TableError: the file, the mapping, or their combination cannot be used.

    """
    told = None if mapping is None else read_mapping(mapping)
    source = open_table(path)
    facts = scan(source)
    plan = guess(facts)
    if told is not None:
        plan = apply_mapping(plan, told, facts)
    return source, plan.checked(), facts[0].rows
