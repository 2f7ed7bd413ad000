"""Packed bytes of a batch to numpy arrays and back: each function checks the length and the values it reads.

Arrays that are read share memory with the message wherever the layout allows, and are then read-only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.schemas.ids import ID_BYTES
from driftline.schemas.refusal import Refused
from driftline.schemas.shapes import Category, NumericBlock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike, NDArray

MAX_ROWS: Final = 65_536
MAX_LEVELS: Final = 65_536
MAX_TIME_MS: Final = 7_258_118_400_000  # 2200-01-01T00:00:00Z
_FLOATS: Final[dict[str, np.dtype[Any]]] = {"float32": np.dtype("<f4"), "float64": np.dtype("<f8")}
_DELTAS: Final[dict[int, np.dtype[Any]]] = {4: np.dtype("<i4"), 8: np.dtype("<i8")}
_CODES: Final[dict[int, np.dtype[Any]]] = {1: np.dtype("<u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4")}
_U1_LEVELS: Final = 0xFF
_U2_LEVELS: Final = 0xFFFF


def check_rows(rows: int) -> None:
    """Raise Refused unless a batch has 1 to 65,536 rows."""
    if rows < 1:
        raise Refused("bad_shape", f"a batch of {rows} rows; it must have at least one")
    if rows > MAX_ROWS:
        raise Refused("too_large", f"a batch of {rows:,} rows; at most {MAX_ROWS:,} are allowed")


def read_ids(data: bytes, rows: int) -> NDArray[np.uint8]:
    """Ids as uint8 (rows, 16)."""
    _check_length("ids", data, rows * ID_BYTES)
    return np.frombuffer(data, np.uint8).reshape(rows, ID_BYTES)


def write_ids(ids: NDArray[np.uint8], rows: int) -> bytes:
    """Pack uint8 (rows, 16)."""
    _check_array("ids", ids, (rows, ID_BYTES), np.uint8)
    return ids.tobytes()


def read_times(what: str, base_ms: int, deltas: bytes, rows: int) -> NDArray[np.int64]:
    """Times as int64 (rows,) from a base and deltas; refused outside 1970 to 2199."""
    width, rest = divmod(len(deltas), rows)
    dtype = _DELTAS.get(width)
    if dtype is None or rest:
        detail = f"{what} has {len(deltas)} bytes of deltas for {rows} rows; 4 or 8 a row are needed"
        raise Refused("bad_shape", detail)
    steps = np.frombuffer(deltas, dtype)
    # Compared as Python integers, so that no sum can wrap around.
    _check_times(what, base_ms, base_ms)
    _check_times(what, base_ms + int(steps.min()), base_ms + int(steps.max()))
    times: NDArray[np.int64] = steps.astype(np.int64)
    times += base_ms
    return times


def write_times(what: str, times_ms: NDArray[np.int64], rows: int) -> tuple[int, bytes]:
    """Base and packed deltas of int64 (rows,): 4 bytes a row if the times lie within 24 days, else 8."""
    _check_array(what, times_ms, (rows,), np.int64)
    base, high = int(times_ms.min()), int(times_ms.max())
    _check_times(what, base, high)
    width = 4 if high - base <= np.iinfo(np.int32).max else 8
    return base, (times_ms - np.int64(base)).astype(_DELTAS[width]).tobytes()


def read_blocks(what: str, records: Sequence[dict[str, Any]], rows: int) -> list[NumericBlock]:
    """Numeric blocks; refused when a length is wrong, a block has no names or two have one width."""
    blocks: list[NumericBlock] = []
    for record in records:
        names = tuple(record["names"])
        dtype = _FLOATS[record["dtype"]]
        values = record["values"]
        _check_length(f"the {record['dtype']} block of {what}", values, len(names) * rows * dtype.itemsize)
        blocks.append(NumericBlock(names, np.frombuffer(values, dtype).reshape(len(names), rows)))
    _check_blocks(what, blocks)
    return blocks


def write_blocks(what: str, blocks: Sequence[NumericBlock], rows: int) -> list[dict[str, Any]]:
    """Records of numeric blocks."""
    _check_blocks(what, blocks)
    for block in blocks:
        if block.values.dtype not in _FLOATS.values():
            raise Refused("unsupported_type", f"{what} are {block.values.dtype}; float32 and float64 travel")
        _check_array(what, block.values, (len(block.names), rows), block.values.dtype)
    return [
        {"dtype": str(block.values.dtype), "names": list(block.names), "values": block.values.tobytes()}
        for block in blocks
    ]


def read_categories(what: str, records: Sequence[dict[str, Any]], rows: int) -> list[Category]:
    """Dictionary-coded columns; codes become int32 with -1 for null, refused when one has no level."""
    sizes = {len(record["codes"]) for record in records}
    if len(sizes) > 1:
        return [column for record in records for column in _categories_of_one_width(what, [record], rows)]
    return _categories_of_one_width(what, records, rows) if sizes else []


def write_categories(what: str, columns: Sequence[Category], rows: int) -> list[dict[str, Any]]:
    """Records of dictionary-coded columns, in the narrowest codes that hold the levels and null."""
    return [_category(what, column, rows) for column in columns]


def read_bitmap(what: str, data: bytes, rows: int) -> NDArray[np.bool_] | None:
    """A bitmap as bool (rows,), None when empty; bits past the last row are ignored, as in Apache Arrow."""
    if not data:
        return None
    _check_length(what, data, (rows + 7) // 8)
    return np.unpackbits(np.frombuffer(data, np.uint8), count=rows, bitorder="little").view(np.bool_)


def write_bitmap(what: str, mask: NDArray[np.bool_] | None, rows: int) -> bytes:
    """Pack bool (rows,), least significant bit first; empty for None and for no row."""
    if mask is None:
        return b""
    _check_array(what, mask, (rows,), np.bool_)
    return np.packbits(mask, bitorder="little").tobytes() if mask.any() else b""


def read_floats(what: str, data: bytes | None, rows: int, dtype: str) -> NDArray[Any] | None:
    """One float a row, None for None; dtype is "float32" or "float64"."""
    if data is None:
        return None
    _check_length(what, data, rows * _FLOATS[dtype].itemsize)
    return np.frombuffer(data, _FLOATS[dtype])


def write_floats(what: str, values: NDArray[Any] | None, rows: int, dtype: str) -> bytes | None:
    """Pack one float a row, None for None."""
    if values is None:
        return None
    _check_array(what, values, (rows,), _FLOATS[dtype])
    return values.tobytes()


def _categories_of_one_width(what: str, records: Sequence[dict[str, Any]], rows: int) -> list[Category]:
    """All columns of one code width at once: numpy's cost a call would otherwise be most of the time."""
    width, rest = divmod(len(records[0]["codes"]), rows)
    dtype = _CODES.get(width)
    if dtype is None or rest:
        size, name = len(records[0]["codes"]), records[0]["name"]
        detail = f"{what} {name!r} has {size} bytes of codes for {rows} rows; 1, 2 or 4 a row are needed"
        raise Refused("bad_shape", detail)
    raw = np.frombuffer(b"".join([record["codes"] for record in records]), dtype)
    # Adding one turns null (all ones) into 0: the greatest value is then at most the number of levels.
    shifted = raw.reshape(len(records), rows) + dtype.type(1)
    for record, top in zip(records, shifted.max(axis=1).tolist(), strict=True):
        _check_levels(what, record["name"], record["levels"], top - 1)
    codes = shifted.astype(np.int32)
    codes -= 1
    return [
        Category(record["name"], tuple(record["levels"]), column)
        for record, column in zip(records, codes, strict=True)
    ]


def _category(what: str, column: Category, rows: int) -> dict[str, Any]:
    _check_array(f"codes of {what} {column.name!r}", column.codes, (rows,), np.int32)
    if int(column.codes.min()) < -1:
        raise Refused(
            "bad_shape", f"{what} {column.name!r} has the code {int(column.codes.min())}; null is -1"
        )
    _check_levels(what, column.name, column.levels, int(column.codes.max()))
    count = len(column.levels)
    width = 1 if count <= _U1_LEVELS else 2 if count <= _U2_LEVELS else 4
    # The cast keeps the low bytes, so -1 becomes all ones in each width.
    codes = column.codes.astype(_CODES[width])
    return {"name": column.name, "levels": list(column.levels), "codes": codes.tobytes()}


def _check_levels(what: str, name: str, levels: Sequence[str], top: int) -> None:
    if top >= len(levels):
        raise Refused("bad_shape", f"{what} {name!r} has the code {top} and only {len(levels)} levels")
    if len(levels) > MAX_LEVELS:
        detail = f"{what} {name!r} has {len(levels):,} levels; at most {MAX_LEVELS:,} are allowed"
        raise Refused("too_large", detail)
    if len(set(levels)) != len(levels):
        raise Refused("bad_shape", f"{what} {name!r} has a level twice")


def _check_blocks(what: str, blocks: Sequence[NumericBlock]) -> None:
    if not all(block.names for block in blocks):
        raise Refused("bad_shape", f"{what} have a block without names")
    if len({block.values.dtype for block in blocks}) != len(blocks):
        raise Refused("bad_shape", f"{what} have two blocks of one width; there is one a width")


def _check_times(what: str, low: int, high: int) -> None:
    if not 0 <= low <= high < MAX_TIME_MS:
        wrong = low if low < 0 else high
        raise Refused("impossible_value", f"{what} has the time {wrong} ms, outside 1970 to 2199")


def _check_length(what: str, data: bytes, size: int) -> None:
    if len(data) != size:
        raise Refused("bad_shape", f"{what}: {len(data)} bytes where the shape needs {size}")


def _check_array(what: str, array: NDArray[Any], shape: tuple[int, ...], dtype: DTypeLike) -> None:
    if array.dtype != dtype:
        raise Refused("unsupported_type", f"{what} is {array.dtype} and must be {np.dtype(dtype)}")
    if array.shape != shape:
        raise Refused("bad_shape", f"{what} has the shape {array.shape} and must have {shape}")
