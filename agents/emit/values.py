"""One value of an application at a time: as a number, as a level, as a time, hashed. What fits nowhere is `wrong`."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from driftline.agents.emit.errors import BadEvent, cause_of
from driftline.agents.emit.shapes import LIGHT_TYPES, is_light
from driftline.schemas.ahead import ahead_fault
from driftline.schemas.scalars import is_null, number_of, text_of
from driftline.schemas.wire import MAX_TIME_MS

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_HASH_HEX: Final = 32
_KEPT: Final = LIGHT_TYPES | {str}
_SMALL: Final = (str, int, float, np.generic, dt.date, dt.time, dt.timedelta, Decimal)
_COARSE: Final = frozenset("YMWDhms")
"""Numpy's units of which one is more than a millisecond."""
NO_TIME: Final = MAX_TIME_MS
"""Later than every event time."""


def as_number(value: Any) -> Any:
    """A score or a latency as it may wait: a number, None, or a small thing that is none for what was `wrong`."""
    if is_light(value):
        return value
    if is_null(value):
        return None
    number = number_of(value)
    return ... if number is None else number


def as_level(value: Any) -> Any:
    """A class, a status or a segment as it may wait: a light value as it is, any other as its text."""
    return value if is_light(value) else text_of(value)


def as_kept(value: Any) -> Any:
    """A value of a feature as it may wait: what is no number, no level and not null is `...`, as wrong and small."""
    if type(value) in _KEPT or isinstance(value, _SMALL) or is_null(value) or text_of(value) is not None:
        return value
    return ... if number_of(value) is None else value


def hashed(level: str, salt: bytes | None) -> str:
    """The level that stands for a hashed value: the first 128 bits, in hexadecimal digits, of its SHA-256.

    With a salt it is HMAC-SHA256 under that key: without the key nobody can find a value by trying all of them.
    """
    data = level.encode()
    digest = hashlib.sha256(data).digest() if salt is None else hmac.digest(salt, data, "sha256")
    return digest.hex()[:_HASH_HEX]


def time_of(value: object) -> int:
    """An event time as ms since 1970 UTC: an aware datetime, a numpy datetime64 (UTC) or an int of milliseconds.

    Raises BadEvent for anything else. A float is refused: it may be seconds.
    """
    if isinstance(value, dt.datetime):
        if value.utcoffset() is None:
            raise BadEvent(
                f"the time {value.isoformat()} has no zone; give an aware datetime or ms since 1970"
            )
        ms = (value - _EPOCH) // dt.timedelta(milliseconds=1)
    elif isinstance(value, np.datetime64):
        ms = int(_ms_of(np.asarray(value)))
    elif isinstance(value, int | np.integer) and not isinstance(value, bool):
        ms = int(value)
    else:
        raise BadEvent(
            f"the time is of type {type(value).__name__}; give an aware datetime or an int of ms since 1970"
        )
    if not 0 <= ms < MAX_TIME_MS:
        raise BadEvent(f"the time {ms} ms is outside 1970 to 2199")
    return ms


def wall_ms() -> int:
    """This machine's clock, ms since 1970."""
    return time.time_ns() // 1_000_000


def fault_ahead(newest_ms: int, future_ms: int) -> str | None:
    """Why no reader would take an event of that time: it lies too far ahead of this machine's clock; None when not."""
    return ahead_fault(newest_ms, wall_ms(), future_ms, "this machine's clock")


def times_of(values: object, rows: int) -> tuple[NDArray[np.int64], str]:
    """Event times of many rows as int64 ms (rows,): what `time_of` takes, once for all rows or one a row.

    A row without a time that can be one has `NO_TIME`; beside them the cause of the first, "" when there is none.
    Raises BadEvent when the values are not one a row.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "Mui":
        if values.shape != (rows,):
            raise BadEvent(f"times have the shape {values.shape}; {rows} rows need ({rows},)")
        out = _ms_of(values) if values.dtype.kind == "M" else values.astype(np.int64)
        none = (out < 0) | (out >= MAX_TIME_MS)
        out[none] = NO_TIME
        return out, "a time lies outside 1970 to 2199, or a row has none" if none.any() else ""
    if isinstance(values, list | tuple | np.ndarray):
        if len(values) != rows:
            raise BadEvent(f"{len(values)} times for {rows} rows; give one a row")
        return _times_one_by_one(values, rows)
    return np.full(rows, time_of(values), np.int64), ""


def _ms_of(times: NDArray[Any]) -> NDArray[np.int64]:
    """Times of numpy as ms, rounded down; what int64 holds no ms for becomes the outermost time of its sign."""
    ms = times.astype("datetime64[ms]")
    out = ms.astype(np.int64)
    if np.datetime_data(times.dtype)[0] in _COARSE:
        # What overflowed comes back as another time.
        wrapped = ~np.isnat(times) & (ms.astype(times.dtype) != times)
        ends = np.iinfo(np.int64)
        out = np.where(wrapped, np.where(times.astype(np.int64) < 0, ends.min, ends.max), out)
    return out


def _times_one_by_one(values: Sequence[Any] | NDArray[Any], rows: int) -> tuple[NDArray[np.int64], str]:
    out, cause = np.full(rows, NO_TIME, np.int64), ""
    for row, value in enumerate(values):
        try:
            out[row] = time_of(value)
        except Exception as error:  # noqa: BLE001 - whatever a value does, it costs its row alone
            cause = cause or cause_of(error)
    return out, cause


def pairs_of(what: str, value: object) -> tuple[tuple[str, Any], ...]:
    """Names and values of a mapping (segments, scores), copied; raises BadEvent when it is none."""
    if not isinstance(value, Mapping):
        raise BadEvent(f"{what} are of type {type(value).__name__}; give a dict of names and values")
    return tuple(value.items())
