"""Two table files as a comparison: the reference says what each column is, the current one is read so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from driftline.deploy.tables.errors import TableError
from driftline.deploy.tables.follow import UNREAD, follow_plan
from driftline.deploy.tables.plan import plan_table
from driftline.deploy.tables.roles import TablePlan
from driftline.deploy.tables.rows import table_rows
from driftline.deploy.tables.scan import scan
from driftline.deploy.tables.source import open_table
from driftline.streams.windows.comparison import Comparison, compare_batches
from driftline.streams.windows.resolution import Resolution

NAME = "comparison"


@dataclass(frozen=True, slots=True)
class FileComparison:
    """A comparison, and what the columns were taken for."""

    found: Comparison
    plan: TablePlan
    """What each column of the reference is."""
    current_plan: TablePlan
    """What each column of the current table was read as."""


def compare_files(
    reference: Path,
    current: Path,
    *,
    mapping: Path | None = None,
    scores: str | None = None,
    resolution: str | None = None,
) -> FileComparison:
    """Compare two tables.

    Args:
        reference: a parquet, CSV or Arrow file.
        current: another, with the same columns; those it lacks are said to be missing.
        mapping: a mapping file that overrides the guess of what the reference's columns are.
        scores: where the reference's scores come from; None takes them as in-sample, the cautious guess.
        resolution: width of windows whose variation to allow for; that of the current table's times when None.

    Raises:
        TableError: a file, the mapping, or their combination cannot be used.
        ResolutionError: for a resolution that does not exist.

    """
    width = None if resolution is None else Resolution.parse(resolution).name
    planned = plan_table(reference, mapping)
    plan = planned.plan
    new = open_table(current)
    current_plan = follow_plan(plan, scan(new), reference.name)
    read = TablePlan(tuple(one for one in plan.columns if one.role not in UNREAD))
    if not any(one.role in {"feature", "score", "predicted"} for one in current_plan.columns):
        raise TableError(
            f"{current.name} has none of the columns to compare of {reference.name}: check both files"
        )
    has_times = plan.one("timestamp") is not None
    if has_times and current_plan.one("timestamp") is None:
        width = width or "1d"
    has_scores = bool(plan.of("score")) or plan.one("predicted") is not None
    if scores is not None and not has_scores:
        raise TableError(
            f"--scores {scores} was given, but {reference.name} has no score and no predicted class: "
            'name one in a mapping, as in [columns] p = {role = "score"}'
        )
    found = compare_batches(
        table_rows(planned.source, read, NAME, NAME),
        table_rows(new, current_plan, NAME, NAME),
        has_times=has_times,
        provenance=(scores or "in-sample") if has_scores else "none",
        resolution=width,
    )
    return FileComparison(found, plan, current_plan)
