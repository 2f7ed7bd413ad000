"""Texts as ISO 8601 times: one way to read them, for the guess, for CSV and for the rows that travel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable

ZONED = pa.timestamp("us", tz="UTC")
UNZONED = pa.timestamp("us")
KINDS: tuple[pa.TimestampType, ...] = (ZONED, UNZONED)
# What stands before the digits past the microsecond; pandas writes nine after the point for datetime64[ns].
FINER_THAN_US = r"^(\s*\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}\.\d{6})\d+"


def to_time(values: pa.Array, kind: pa.TimestampType) -> pa.Array:
    """Read texts as times of one kind, rounded down to the microsecond.

    Digits are cut off rather than read as nanoseconds, which would end in the year 2262.

    Raises:
        pa.ArrowInvalid: a text is no such time.

    """
    try:
        return pc.cast(values, kind)
    except pa.ArrowInvalid:
        return pc.cast(pc.replace_substring_regex(values, FINER_THAN_US, r"\1"), kind)


def read(values: pa.Array, kinds: Iterable[pa.TimestampType] = KINDS) -> pa.Array | None:
    """Read texts as times, all with a zone or all without; None when they are not."""
    for kind in kinds:
        # A cast that fails takes much longer than one that does not, and most texts are no times from the first on.
        if _read_as(values[:1], kind) is not None and (found := _read_as(values, kind)) is not None:
            return found
    return None


def _read_as(values: pa.Array, kind: pa.TimestampType) -> pa.Array | None:
    try:
        return to_time(values, kind)
    except pa.ArrowInvalid:
        return None


def first_unread(values: pa.Array) -> str:
    """Give the first text with which `read` fails, by halving; the values must be ones that it cannot read.

    >>> first_unread(pa.array(["2024-12-30", "2024-12-31", "31/12/2024", "x"]))
    '31/12/2024'
    """
    low, high = 0, len(values)
    if read(values[:1]) is None:
        high = 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if read(values[:middle]) is None else (middle, high)
    text: str = values[high - 1].as_py()
    return text


def why_unread(text: str) -> str:
    """Say of a text from `first_unread` what keeps its column from being times.

    >>> why_unread("31/12/2024")
    "'31/12/2024' is no ISO 8601 time, as 2024-12-31T23:59:59Z is"
    """
    shown = repr(text if len(text) <= 40 else text[:39] + "…")  # noqa: PLR2004 - what a line has room for
    if read(pa.array([text])) is None:
        return f"{shown} is no ISO 8601 time, as 2024-12-31T23:59:59Z is"
    return f"from {shown} on some times have a zone and some have none"
