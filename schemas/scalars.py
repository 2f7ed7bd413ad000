"""One value of an application, of whatever type: as a number, or as a level.

What the emitter sends and what a table is compared by are made here, so that both mean the same.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from driftline.schemas.number_text import number_text

Kind: TypeAlias = Literal["number", "category"]
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def is_null(value: object) -> bool:
    """Whether a value stands for "none": None, pandas' NA and NaT, numpy's NaT. A float NaN is a value."""
    if value is None:
        return True
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    return type(value).__name__ in {"NAType", "NaTType"}


def number_of(value: Any) -> float | None:  # noqa: ANN401 - whatever an application has
    """A value as a float, None when it is no number.

    Numbers are int, float, bool, numpy scalars, Decimal and whatever has `__float__`; dates and times are seconds since
    1970 (without a zone taken as UTC), spans are seconds. Texts are never parsed.
    """
    if isinstance(value, str | bytes | np.ndarray | complex):
        return None
    try:
        if isinstance(value, dt.date | np.datetime64):
            return seconds_of(value)
        if isinstance(value, dt.timedelta):
            return value.total_seconds()
        if isinstance(value, np.timedelta64):
            return float(value / np.timedelta64(1, "s"))
        return float(value)
    except KeyboardInterrupt:  # the caller's own
        raise
    except BaseException:  # noqa: BLE001 - whatever an object of the application does when it is read, it is no number
        return None


def kind_of(value: object) -> Kind | None:
    """Say what the first value of a column makes of it: a category (text, boolean), a number, or nothing yet."""
    if is_null(value):
        return None
    if isinstance(value, str | bool | np.bool_):
        return "category"
    return "number" if number_of(value) is not None else None


def text_of(value: Any) -> str | None:  # noqa: ANN401 - whatever an application has
    """A value as a level, None when it is none: texts as they are, `true`/`false`, whole numbers without a point."""
    text: str | None = None
    if isinstance(value, str):
        text = str.__str__(value)
    elif isinstance(value, bool | np.bool_):
        text = "true" if value else "false"
    elif isinstance(value, int | np.integer):
        text = str(int(value))
    elif isinstance(value, float | np.floating):
        text = number_text(float(value))
    elif isinstance(value, dt.date | dt.time):
        text = value.isoformat()
    elif type(value).__name__ in {"Decimal", "UUID"} or isinstance(value, np.datetime64):
        text = str(value)
    return text if text is None or text.isascii() or _is_utf8(text) else None


def seconds_of(value: dt.date | np.datetime64) -> float:
    """A date or time as seconds since 1970; without a zone it is taken as UTC. Raises ValueError for numpy's NaT."""
    if isinstance(value, np.datetime64):
        if np.isnat(value):
            raise ValueError("no time")
        return float((value - np.datetime64(0, "s")) / np.timedelta64(1, "s"))
    if not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the zone is added below
    aware = value if value.utcoffset() is not None else value.replace(tzinfo=dt.UTC)
    return (aware - _EPOCH).total_seconds()


def seconds_in(column: NDArray[Any]) -> NDArray[np.float64]:
    """Times of numpy as seconds since 1970, or spans as seconds, in whatever unit they are; NaT as NaN."""
    spans = column - np.datetime64(0, "s") if column.dtype.kind == "M" else column
    seconds: NDArray[np.float64] = spans / np.timedelta64(1, "s")
    return seconds


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
