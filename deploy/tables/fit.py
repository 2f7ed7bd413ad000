"""Whether a column's values can be read in a role, and the sentence for those that cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from driftline.deploy.tables.errors import TableError
from driftline.deploy.tables.guess import EPOCH_UNITS, epoch_unit, is_number, time_kind
from driftline.deploy.tables.scan import is_nested, is_text
from driftline.schemas.number_text import number_text

if TYPE_CHECKING:
    from driftline.deploy.tables.scan import Facts

TIMES = "datetimes, ISO 8601 texts, or whole s, ms, µs or ns since 1970"
LEVELS = "texts, numbers or booleans"


def fits(kind: pa.DataType, role: str, read_as: str = "") -> bool:
    """Whether values of a type can be read in a role, and there as `read_as` (roles.TYPES).

    A timestamp's values count too: see `time_of_another`.
    """
    if role in ("ignore", "target"):
        return True
    if is_nested(kind):
        return False
    if role == "latency" or read_as == "number":
        return bool(is_number(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind))
    if role == "timestamp":
        is_time = pa.types.is_timestamp(kind) or pa.types.is_date(kind)
        # A CSV's texts are read as times before anyone is asked what they are.
        able = {"datetime": is_time, "text": is_text(kind) or is_time}
        return bool(able.get(read_as, pa.types.is_integer(kind)))
    return not pa.types.is_duration(kind)


def check_fit(one: Facts, role: str, read_as: str, whose: str) -> None:
    """Check that a column can take the role it has elsewhere.

    Args:
        one: the column.
        role: its role elsewhere.
        read_as: how it is read there.
        whose: where that is, as in "the profile of churn 1".

    Raises:
        TableError: naming the column, its type, and what to do.

    """
    if fits(one.type, role, read_as):
        return
    wanted = "numbers" if role == "latency" or read_as == "number" else LEVELS
    what = f"a {role}" + (f" read as {read_as}" if read_as else "")
    raise TableError(
        f"column {one.name!r} holds values of type {one.type}, and {whose} has {what} there: "
        f"write it as {wanted}, or leave it out by a mapping (--columns), as in [columns] {_key(one.name)} "
        '= "ignore"'
    )


def time_of_another(one: Facts, whose: str, read_as: str = "") -> str:
    """Tell how a column's values are read as the times that it holds elsewhere.

    Args:
        one: the column.
        whose: where it is the timestamp, as in "the profile of churn 1".
        read_as: how it is read there, where that is known: the unit of whole numbers that do not tell it.

    Returns:
        One of roles.TYPES["timestamp"].

    Raises:
        TableError: the values are no times.

    """
    found = None if one.all_null else time_kind(one)
    if found is None and read_as in EPOCH_UNITS and pa.types.is_integer(one.type) and not one.all_null:
        found = read_as
    if found is None:
        raise TableError(
            f"{whose} takes its times from column {one.name!r}, which holds {_held(one)} here: write it as {TIMES}, "
            'or name another column by a mapping (--columns), as in [columns] seen_at = "timestamp"'
        )
    return found


def _held(one: Facts) -> str:
    if one.all_null:
        return "no value"
    if is_text(one.type):
        return f"texts as {one.not_a_time[:40]!r}"
    if pa.types.is_integer(one.type) and epoch_unit(one.low, one.high) is None:
        low, high = number_text(float(one.low)), number_text(float(one.high))
        return f"whole numbers from {low} to {high}, which are no times of 2000 to 2100,"
    return f"values of type {one.type}"


def _key(name: str) -> str:
    """Write a name as a key of TOML."""
    is_bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if is_bare else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
