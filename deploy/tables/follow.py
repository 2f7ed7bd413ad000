"""A table that is sent follows the profile, not a guess at this table's own values.

A column that was constant in one table and is not in the next would else be a feature in one of them alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from driftline.deploy.tables.errors import TableError, suggestion
from driftline.deploy.tables.roles import ColumnPlan, TablePlan
from driftline.deploy.tables.scan import is_nested, is_text

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from driftline.deploy.tables.scan import Facts
    from driftline.schemas.profile import Profile

FOLLOWED = ("feature", "score")


def follow_profile(
    plan: TablePlan, facts: Sequence[Facts], profile: Profile, mapped: Collection[str] = ()
) -> TablePlan:
    """Give the profile's columns their roles, and leave out features and scores it does not know.

    Args:
        plan: the guess.
        facts: what the guess was made from.
        profile: the reference.
        mapped: columns that a mapping will speak about; they stay as guessed.

    Raises:
        TableError: the profile has a column that the table lacks, or whose values cannot travel.

    """
    wanted = {one.name: one for one in profile.columns if one.role in FOLLOWED}
    segments = {one.name for one in profile.columns if one.role == "segment"}
    by_name = {one.name: one for one in facts}
    for name in (*wanted, *segments):
        if name not in by_name:
            raise TableError(
                f"the profile of {profile.deployment} {profile.model_version} has a column {name!r}, "
                "which the table "
                f"lacks: {suggestion(name, by_name)}"
            )
    columns = []
    for one in plan.columns:
        reference = wanted.get(one.name)
        if one.name in mapped:
            columns.append(one)
        elif reference is not None:
            kind = "number" if reference.kind == "numeric" else "category"
            columns.append(_followed(one, by_name[one.name], reference.role, kind, one.name in segments))
        elif one.name in segments:
            columns.append(ColumnPlan(one.name, "segment", reason="a segment of the profile"))
        elif one.role in FOLLOWED or one.role == "segment":
            columns.append(ColumnPlan(one.name, "ignore", reason="the profile does not know it"))
        else:
            columns.append(replace(one, segment=False))
    return TablePlan(tuple(columns))


def _followed(guessed: ColumnPlan, one: Facts, role: str, kind: str, segment: bool) -> ColumnPlan:  # noqa: FBT001
    if is_nested(one.type):
        raise TableError(
            f"column {one.name!r} holds values of type {one.type}, and the profile has a {kind} there: "
            "give the table the values that the model was given"
        )
    reason = f"a {role} of the profile"
    if kind == "number" and is_text(one.type):
        # Sent as it is: texts where numbers were is a fault of the data, which the windows shall show.
        reason += "; texts where the profile has numbers: they are counted as of a wrong type"
    return ColumnPlan(one.name, role, kind, policy=guessed.policy, reason=reason, segment=segment)


def check_followed(plan: TablePlan, profile: Profile) -> None:
    """Check that a plan, mapping included, has the class that the profile was built with.

    Raises:
        TableError: the profile has a predicted class and the table has no column known as one.

    """
    if any(one.role == "class" for one in profile.columns) and plan.one("predicted") is None:
        raise TableError(
            f"the profile of {profile.deployment} {profile.model_version} has a predicted class, and no "
            "column of the "
            'table is known as one: name it with --columns, as in [columns] decision = "predicted"'
        )
