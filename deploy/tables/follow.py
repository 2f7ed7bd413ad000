"""A table follows the profile or the table it is held against, not a guess at its own values.

A column that was constant in one table and is not in the next would else be a feature in one of them alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from driftline.deploy.tables.errors import TableError, suggestion
from driftline.deploy.tables.fit import TIMES, check_fit, fits, time_of_another
from driftline.deploy.tables.guess import PREDICTED_NAME
from driftline.deploy.tables.roles import ColumnPlan, TablePlan
from driftline.deploy.tables.scan import is_text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from driftline.deploy.tables.scan import Facts
    from driftline.schemas.profile import Profile

FOLLOWED = ("feature", "score")
UNREAD = ("id", "target", "ignore")
"""Roles that no figure of a comparison rests on."""


def follow_profile(
    plan: TablePlan,
    facts: Sequence[Facts],
    profile: Profile,
    mapping: Mapping[str, Mapping[str, object]] | None = None,
) -> TablePlan:
    """Give the profile's columns their roles, and leave out features and scores it does not know.

    Args:
        plan: the guess.
        facts: what the guess was made from.
        profile: the reference.
        mapping: columns that a mapping will speak about; they stay as guessed.

    Raises:
        TableError: the profile has a column that the table lacks, or whose values cannot travel.

    """
    told = mapping or {}
    wanted = {one.name: one for one in profile.columns if one.role in FOLLOWED}
    segments = {one.name for one in profile.columns if one.role == "segment"}
    by_name = {one.name: one for one in facts}
    for name in (*wanted, *segments):
        if name not in by_name:
            raise TableError(
                f"{_named(profile)} has a column {name!r}, which the table lacks: {suggestion(name, by_name)}"
            )
    said = (
        None
        if plan.one("predicted") or not _has_class(profile)
        else _class_of(facts, {*wanted, *segments, *told})
    )
    columns = []
    for one in plan.columns:
        reference = wanted.get(one.name)
        if one.name in told:
            columns.append(one)
        elif reference is not None:
            kind = "number" if reference.kind == "numeric" else "category"
            columns.append(_followed(one, by_name[one.name], reference.role, kind, segments, _named(profile)))
        elif one.name in segments:
            check_fit(by_name[one.name], "segment", "", _named(profile))
            columns.append(ColumnPlan(one.name, "segment", reason="a segment of the profile"))
        elif one.name == said:
            columns.append(
                ColumnPlan(one.name, "predicted", reason="the profile has a class, and this is named like it")
            )
        elif one.role in FOLLOWED or one.role == "segment":
            columns.append(ColumnPlan(one.name, "ignore", reason="the profile does not know it"))
        else:
            columns.append(replace(one, segment=False))
    return _timed(TablePlan(tuple(columns)), by_name, profile, told)


def follow_plan(plan: TablePlan, facts: Sequence[Facts], whose: str) -> TablePlan:
    """Read a table's columns as those of another table, for a comparison; columns that either lacks take no part.

    Args:
        plan: what the other table's columns are.
        facts: what the table holds.
        whose: the other table, as in "ref.parquet".

    Raises:
        TableError: a column's values cannot have the role they have there.

    """
    by_name = {one.name: one for one in facts}
    columns = []
    for one in plan.columns:
        here = by_name.get(one.name)
        if here is None or one.role in UNREAD:
            continue
        if one.role == "timestamp":
            columns.append(replace(one, type=time_of_another(here, whose, one.type)))
        elif one.role == "feature" and is_text(here.type):
            # Each of its values then has a wrong type, which the figures show.
            columns.append(replace(one, type="category"))
        else:
            check_fit(here, one.role, one.type, whose)
            columns.append(one)
    return TablePlan(tuple(columns))


def _followed(
    guessed: ColumnPlan, one: Facts, role: str, kind: str, segments: set[str], whose: str
) -> ColumnPlan:
    reason = f"a {role} of the profile"
    if kind == "number" and is_text(one.type):
        # Sent as it is: texts where numbers were is a fault of the data, which the windows shall show.
        reason += "; texts where the profile has numbers: they are counted as of a wrong type"
    else:
        check_fit(one, role, kind, whose)
    return ColumnPlan(
        one.name, role, kind, policy=guessed.policy, reason=reason, segment=one.name in segments
    )


def _has_class(profile: Profile) -> bool:
    return any(one.role == "class" for one in profile.columns)


def _class_of(facts: Sequence[Facts], others: Collection[str]) -> str | None:
    """Find the class that a guess passes over: constant today, empty, or in another type."""
    able = (one.name for one in facts if PREDICTED_NAME.match(one.name) and fits(one.type, "predicted"))
    return next((name for name in able if name not in others), None)


def _timed(
    plan: TablePlan, by_name: Mapping[str, Facts], profile: Profile, told: Mapping[str, Mapping[str, object]]
) -> TablePlan:
    """Take the times from the profile's column, unless a mapping speaks of it or names another."""
    name = profile.timestamp
    if any(entry.get("role") == "timestamp" for entry in told.values()):
        return plan
    if name is not None and name in told:
        return _without_another_time(plan, name)
    if name is None:
        # A profile without times says nothing; one of an older release does not say which column had them.
        if profile.start_ms is not None and plan.one("timestamp") is None:
            raise TableError(
                f"{_named(profile)} has times, and no column of the table reads as times: write one as {TIMES}, or "
                'name it by a mapping (--columns), as in [columns] seen_at = "timestamp"'
            )
        return plan
    if name not in by_name:
        raise TableError(
            f"{_named(profile)} takes its times from column {name!r}, which the table lacks: "
            f"{suggestion(name, by_name)}; add it, or name another by a mapping (--columns), as in "
            '[columns] seen_at = "timestamp"'
        )
    kind = time_of_another(by_name[name], _named(profile))
    timestamp = ColumnPlan(name, "timestamp", kind, reason="the timestamp of the profile")
    columns = tuple(timestamp if one.name == name else one for one in plan.columns)
    return _without_another_time(TablePlan(columns), name)


def _without_another_time(plan: TablePlan, name: str) -> TablePlan:
    """Leave out a column that was guessed to be the timestamp and is not the profile's."""
    reason = f"the profile takes its times from {name!r}"
    return TablePlan(
        tuple(
            ColumnPlan(one.name, "ignore", reason=reason)
            if one.role == "timestamp" and one.name != name
            else one
            for one in plan.columns
        )
    )


def _named(profile: Profile) -> str:
    return f"the profile of {profile.deployment} {profile.model_version}"


def check_followed(plan: TablePlan, profile: Profile) -> None:
    """Check that a plan, mapping included, has the class that the profile was built with.

    Raises:
        TableError: the profile has a predicted class and the table has no column known as one.

    """
    if _has_class(profile) and plan.one("predicted") is None:
        raise TableError(
            f"{_named(profile)} has a predicted class, and no column of the "
            'table is known as one: name it with --columns, as in [columns] decision = "predicted"'
        )
