"""From a file to a plan: look once, guess, follow the profile if there is one, obey the mapping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.deploy.tables.follow import check_followed, follow_profile
from driftline.deploy.tables.guess import guess
from driftline.deploy.tables.mapping import apply_mapping, read_mapping
from driftline.deploy.tables.scan import scan
from driftline.deploy.tables.source import open_table

if TYPE_CHECKING:
    from pathlib import Path

    from driftline.deploy.tables.roles import TablePlan
    from driftline.deploy.tables.source import TableSource
    from driftline.schemas.profile import Profile


@dataclass(frozen=True, slots=True)
class Planned:
    """A table, what each of its columns is, and how many rows it has."""

    source: TableSource
    plan: TablePlan
    rows: int


def plan_table(path: Path, mapping: Path | None = None, profile: Profile | None = None) -> Planned:
    """Open a table and say what each column is.

    Args:
        path: a parquet, CSV or Arrow file.
        mapping: a mapping file that overrides the guess, and the profile.
        profile: the reference whose columns the table must have; what it does not know is left out.

    Raises:
        TableError: the file, the mapping, or their combination cannot be used.

    """
    told = None if mapping is None else read_mapping(mapping)
    source = open_table(path)
    facts = scan(source)
    plan = guess(facts)
    if profile is not None:
        plan = follow_profile(plan, facts, profile, told)
    if told is not None:
        plan = apply_mapping(plan, told, facts)
    if profile is not None:
        check_followed(plan, profile)
    return Planned(source, plan.checked(), facts[0].rows)
