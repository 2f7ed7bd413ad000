"""What each column of a table is to a deployment: the vocabulary that guess, mapping and reading share."""

from __future__ import annotations

from dataclasses import dataclass

from driftline.agents.emit.options import TREATMENTS, Treatment
from driftline.deploy.tables.errors import TableError
from driftline.schemas.names import MAX_COLUMNS, name_fault

ROLES = (
    "feature",
    "score",
    "predicted",
    "target",
    "timestamp",
    "id",
    "segment",
    "latency",
    "status",
    "ignore",
)
"""feature: an input of the model; score: a number the model gave; predicted: the class it gave; target: the
truth; timestamp: event time; id: the application's own id; segment: a group to split figures by; latency:
milliseconds the answer took; status: how the request ended; ignore: left out."""

SINGLE_ROLES = ("predicted", "target", "timestamp", "id", "latency", "status")
"""Roles that at most one column may have."""

NAMED = ("feature", "score", "segment")
"""Roles whose columns keep their names on the way."""

TYPES = {
    "feature": ("number", "category"),
    "score": ("number",),
    "timestamp": ("datetime", "text", "s", "ms", "us", "ns"),
}
"""Types a role can be read as; other roles have one way of being read."""

POLICIES = TREATMENTS
"""What the emitter does with a column: send it, have it counted and not stored, send a hash of it, leave it
out."""


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """One column: its role, how it is read, what is done with it, and why that was chosen."""

    name: str
    role: str
    type: str = ""
    policy: Treatment = "keep"
    reason: str = ""
    segment: bool = False
    """Whether a feature is also a segment."""

    @property
    def is_category(self) -> bool:
        """Whether the values travel as levels; a hash is one."""
        return self.type == "category" or self.policy == "hashed"


@dataclass(frozen=True, slots=True)
class TablePlan:
    """All columns of a table, in its order."""

    columns: tuple[ColumnPlan, ...]

    def of(self, role: str) -> list[ColumnPlan]:
        """Give the columns of one role, in the table's order."""
        return [one for one in self.columns if one.role == role]

    def one(self, role: str) -> ColumnPlan | None:
        """Give the column of a role that at most one column has; None when there is none."""
        found = self.of(role)
        return found[0] if found else None

    @property
    def features(self) -> list[ColumnPlan]:
        """The model's inputs; those of the policy `drop` are never sent, so nothing is held against them."""
        return [one for one in self.of("feature") if one.policy != "drop"]

    @property
    def segments(self) -> list[ColumnPlan]:
        """Groups to split figures by, features that are segments too included."""
        return [one for one in self.columns if one.role == "segment" or one.segment]

    @property
    def left_out(self) -> list[ColumnPlan]:
        """Columns that take no part, each with its reason."""
        return self.of("ignore")

    def checked(self) -> TablePlan:
        """Return the plan itself when it can be used.

        Raises:
            TableError: a role that one column may have has two, a name cannot travel, there are too many columns,
            or nothing is left to watch.

        """
        for one in self.columns:
            fault = name_fault(one.name) if one.role in NAMED else None
            if fault is not None:
                raise TableError(
                    f"column {one.name!r} cannot travel under this name: {fault}; rename it, or map it "
                    "to ignore"
                )
        for role in SINGLE_ROLES:
            names = [one.name for one in self.of(role)]
            if len(names) > 1:
                raise TableError(
                    f"columns {names[0]!r} and {names[1]!r} both have the role {role!r}: "
                    "give one of them another role in the mapping"
                )
        watched = sum(one.role in NAMED for one in self.columns)
        if watched > MAX_COLUMNS:
            raise TableError(
                f"the table has {watched:,} columns to watch, and at most {MAX_COLUMNS:,} can travel: "
                "map some to ignore"
            )
        if not self.features and not self.of("score") and self.one("predicted") is None:
            raise TableError(
                "the table has no feature, score or predicted class to watch: "
                'name one in a mapping, as in [columns] age = {role = "feature"}'
            )
        return self
