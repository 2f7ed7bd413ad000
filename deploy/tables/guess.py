"""A guess at what each column is, from name, type and values: cautious, and with a reason to read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa

from driftline.deploy.tables.iso import why_unread
from driftline.deploy.tables.roles import ColumnPlan, TablePlan
from driftline.deploy.tables.scan import Facts, is_nested, is_text

if TYPE_CHECKING:
    from collections.abc import Sequence

TIME_NAME = re.compile(r"(^|_)(time|timestamp|ts|datetime|date|epoch|when|at)($|_)", re.IGNORECASE)
TIME_FIRST = (
    "timestamp",
    "event_time",
    "event_timestamp",
    "ts",
    "time",
    "datetime",
    "date_time",
    "predicted_at",
)
ID_NAMES = ("prediction_id", "event_id", "request_id", "id", "uuid", "guid")
ID_NAME = re.compile(
    r"(^|_)(id|uuid|guid|key)$|^(row|index|row_?number|unnamed:? ?_?0|__index_level_0__)$", re.IGNORECASE
)
SCORE_NAME = re.compile(
    r"^(score|proba|prob|probability|p_.+|.+_(proba|prob|probability)|(model|pred|prediction|y)_score|score_.+)$",
    re.IGNORECASE,
)
PREDICTED_NAME = re.compile(
    r"^(prediction|predicted|pred|yhat|y_hat|y_pred|predicted_(class|label)|pred_(class|label))$",
    re.IGNORECASE,
)
TARGET_NAME = re.compile(r"^(target|label|y|y_true|truth|ground_truth|actual|outcome|class)$", re.IGNORECASE)
LATENCY_NAME = re.compile(r"^latency(_ms)?$", re.IGNORECASE)

CLOCK_LIKE = re.compile(r"\d[/.:-]\d|\d{4}|\d [a-z]{3}|[a-z]{3,9}\.? \d", re.IGNORECASE)
"""Texts that mean a date or a time of day in one of the many ways to write it."""

EPOCH_2000_S = 946_684_800
EPOCH_2100_S = 4_102_444_800
EPOCH_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
FREE_TEXT_CHARACTERS = 64
"""Mean length past which a text is prose, not a level."""
UNIQUE_SHARE = 0.5
"""Share of different values past which a text or a named key tells rows apart instead of grouping them."""
UNIQUE_AT_LEAST = 50
"""Values below which uniqueness says nothing."""
CLASS_LEVELS = 200
"""Different values up to which whole numbers named `prediction` are classes."""


def guess(facts: Sequence[Facts]) -> TablePlan:
    """Guess the role and type of every column.

    Args:
        facts: one pass over the table (`scan`).

    Returns:
        A plan with a reason for each column; columns that cannot be watched have the role `ignore`.

    """
    timestamp = _timestamp(facts)
    identifier = next(
        (name for name in ID_NAMES for one in facts if one.name.lower() == name and _is_id(one)), None
    )
    plans: list[ColumnPlan] = []
    taken: set[str] = set()
    for one in facts:
        if timestamp is not None and one.name == timestamp.name:
            plan = timestamp
        else:
            plan = _unusable(one) or _named(one, identifier, taken) or _feature(one)
        if plan.role in ("id", "predicted", "target", "latency"):
            taken.add(plan.role)
        plans.append(plan)
    return TablePlan(tuple(plans))


def epoch_unit(low: int, high: int) -> str | None:
    """Tell the unit in which whole numbers are times between 2000 and 2100; None when they are not.

    >>> epoch_unit(1_357_000_000, 1_388_000_000), epoch_unit(1_357_000_000_000, 1_388_000_000_000),
    epoch_unit(0, 90) ('s', 'ms', None)
    """
    for unit, scale in EPOCH_UNITS.items():
        if low >= EPOCH_2000_S * scale and high <= EPOCH_2100_S * scale:
            return unit
    return None


def _timestamp(facts: Sequence[Facts]) -> ColumnPlan | None:
    """Choose the event time: the best named one of the columns that can be one, else the first."""
    able = [(one, found) for one in facts if not one.all_null and (found := _time_type(one))]
    if not able:
        return None

    def rank(pair: tuple[Facts, tuple[str, str]]) -> tuple[int, int]:
        name = pair[0].name.lower()
        order = (
            TIME_FIRST.index(name) if name in TIME_FIRST else len(TIME_FIRST) + (not TIME_NAME.search(name))
        )
        return order, pair[0].nulls > 0

    one, (kind, reason) = min(able, key=rank)
    return ColumnPlan(one.name, "timestamp", kind, reason=reason)


def time_kind(one: Facts) -> str | None:
    """Tell how a column's values are read as times, whatever its name: one of roles.TYPES["timestamp"], or None."""
    if pa.types.is_timestamp(one.type) or pa.types.is_date(one.type):
        return "datetime"
    if pa.types.is_integer(one.type) and one.low is not None:
        return epoch_unit(one.low, one.high)
    return "text" if is_text(one.type) and one.reads_as_time else None


def _time_type(one: Facts) -> tuple[str, str] | None:
    kind = time_kind(one)
    if kind is None:
        return None
    if kind == "datetime":
        if pa.types.is_date(one.type):
            return kind, "dates, taken as midnight UTC"
        return kind, f"times in {one.type.tz}" if one.type.tz else "times without a zone, taken as UTC"
    if not TIME_NAME.search(one.name):
        return None
    if kind == "text":
        return kind, "texts that read as ISO 8601 times; without a zone taken as UTC"
    return kind, f"whole numbers that are {kind} since 1970 by their range"


def _unusable(one: Facts) -> ColumnPlan | None:
    """Leave out what no bin can hold or what can tell nothing."""
    kind = one.type
    if is_nested(kind):
        return _ignored(
            one, f"values of type {kind} are made of other values; give the parts columns of their own"
        )
    if one.all_null:
        return _ignored(one, "holds no value")
    if pa.types.is_temporal(kind):
        return _ignored(one, f"a second time ({kind}); derive a number or a level from it to watch it")
    if one.constant:
        return _ignored(one, f"constant: every row holds {_shown(one)}")
    return None


def _named(one: Facts, identifier: str | None, taken: set[str]) -> ColumnPlan | None:
    """Give the columns whose name says what they are their role, when their values agree."""
    name = one.name
    if identifier is not None and name.lower() == identifier and "id" not in taken:
        return ColumnPlan(name, "id", reason="named like a prediction's id, and unique in the sample")
    if ID_NAME.search(name):
        reason = "an identifier by its name; declare it a feature in a mapping if the model uses it"
        return _ignored(one, reason)
    if TARGET_NAME.match(name) and "target" not in taken:
        return ColumnPlan(name, "target", reason="named like the truth; not an input")
    if LATENCY_NAME.match(name) and is_number(one.type) and "latency" not in taken:
        return ColumnPlan(name, "latency", reason="named like the latency, taken as milliseconds")
    return _output(one, "predicted" in taken)


def _output(one: Facts, has_predicted: bool) -> ColumnPlan | None:  # noqa: FBT001 - a fact, not a mode
    """Tell what the model gave (a score, a class, a number) from what it was given; None for the latter."""
    name, numeric = one.name, is_number(one.type)
    if SCORE_NAME.match(name) and numeric and _is_share(one):
        return ColumnPlan(name, "score", "number", reason="named like a score, all values in [0, 1]")
    if not PREDICTED_NAME.match(name):
        return None
    # A column of 0 and 1 is of floats wherever a library had to make room for a missing value.
    of_classes = not pa.types.is_floating(one.type) or one.distinct == {0.0, 1.0}
    if of_classes and len(one.distinct) <= CLASS_LEVELS and not has_predicted:
        return ColumnPlan(name, "predicted", reason="named like the predicted class")
    if not numeric:
        return None
    inside = "all values in [0, 1]" if _is_share(one) else "numbers: a regression's output"
    return ColumnPlan(name, "score", "number", reason=f"named like a prediction, {inside}")


def _feature(one: Facts) -> ColumnPlan:
    if pa.types.is_boolean(one.type):
        return ColumnPlan(one.name, "feature", "category", reason="true or false: two levels")
    if is_number(one.type):
        reason = f"decimals ({one.type}), read as numbers" if pa.types.is_decimal(one.type) else "numbers"
        return ColumnPlan(one.name, "feature", "number", reason=reason)
    if is_text(one.type):
        return _text(one)
    return _ignored(one, f"values of type {one.type} are neither numbers nor texts")


def _text(one: Facts) -> ColumnPlan:
    if TIME_NAME.search(one.name) and (reason := _no_time(one)):
        return _ignored(one, reason)
    if one.text_length > FREE_TEXT_CHARACTERS:
        return _ignored(one, f"free text: {one.text_length:.0f} characters on average")
    if one.sample_values >= UNIQUE_AT_LEAST and one.unique_share > UNIQUE_SHARE:
        return _ignored(one, f"free text or keys: {one.unique_share:.0%} of the sampled values are different")
    count = f"more than {len(one.distinct) - 1}" if one.many else f"{len(one.distinct)}"
    return ColumnPlan(one.name, "feature", "category", reason=f"texts, {count} levels")


def _no_time(one: Facts) -> str:
    """Say why texts named like times are not the timestamp; empty when they are levels, as "morning" is."""
    if one.reads_as_time:
        return "a second time (text); derive a number or a level from it to watch it"
    tells_apart = one.sample_values >= UNIQUE_AT_LEAST and one.unique_share > UNIQUE_SHARE
    if not tells_apart and not CLOCK_LIKE.search(one.not_a_time):
        return ""
    mend = "give it as ISO 8601 to use it as the timestamp, or declare it a feature in a mapping"
    return f"named like a time, but {why_unread(one.not_a_time)}; {mend}"


def is_number(kind: pa.DataType) -> bool:
    """Whether values of this type are numbers (booleans are not)."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_id(one: Facts) -> bool:
    usable = is_text(one.type) or pa.types.is_integer(one.type)
    return bool(usable and one.nulls == 0 and one.sample_distinct == one.sample_values)


def _is_share(one: Facts) -> bool:
    return one.low is not None and one.low >= 0 and one.high <= 1


def _ignored(one: Facts, reason: str) -> ColumnPlan:
    return ColumnPlan(one.name, "ignore", reason=reason)


def _shown(one: Facts) -> str:
    return repr(next(iter(one.distinct)))[:40]
