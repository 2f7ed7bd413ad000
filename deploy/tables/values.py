"""Arrow columns as the arrays of the contract: numbers with their gaps, levels with their codes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc

from driftline.deploy.tables.scan import is_text, plain
from driftline.schemas.columns import Category
from driftline.schemas.scalars import text_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


def numbers(column: pa.Array) -> tuple[NDArray[np.float64], NDArray[np.bool_] | None]:
    """Give a column of numbers as float64, and which rows are null (None when none is).

    NaN stands under a null; a NaN that is not null is a value of the table. Integers past 2^53 are rounded
    to the nearest float64, as is everything that travels.
    """
    values = plain(column)
    nulls = None
    if values.null_count:
        nulls = pc.is_null(values).to_numpy(zero_copy_only=False)
    if not pa.types.is_float64(values.type):
        values = pc.cast(values, pa.float64(), safe=False)
    if nulls is not None:
        values = pc.fill_null(values, float("nan"))
    return np.array(values.to_numpy(zero_copy_only=False), dtype=np.float64), nulls


def category(column: pa.Array, name: str) -> Category:
    """Give a column as levels in order of appearance and int32 codes, -1 for null."""
    encoded = texts(column).dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return Category(name, tuple(encoded.dictionary.to_pylist()), codes.astype(np.int32))


def texts(column: pa.Array) -> pa.Array:
    """Give values as the levels the emitter makes of them; null and NaN are null."""
    values = plain(column)
    if pa.types.is_string(values.type):
        return values
    if pa.types.is_temporal(values.type):
        values = _to_us(values)
    if is_text(values.type):
        return pc.cast(values, pa.string())
    encoded = values.dictionary_encode()
    held = encoded.dictionary.to_pylist()
    levels = [None if isinstance(value, float) and math.isnan(value) else text_of(value) for value in held]
    return pa.array(levels, pa.string()).take(encoded.indices)


def _to_us(values: pa.Array) -> pa.Array:
    """Cut nanoseconds off, which Python's times, whose texts the levels are, do not have."""
    if pa.types.is_timestamp(values.type):
        return pc.cast(values, pa.timestamp("us", values.type.tz), safe=False)
    return pc.cast(values, pa.time64("us"), safe=False) if pa.types.is_time64(values.type) else values
