"""Packed: arrays of numbers as little-endian bytes inside Avro records, each length checked on reading."""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np

from driftline.schemas.refusal import Refused

_ITEM_BYTES: Final = 8


def pack(array: np.ndarray, dtype: str) -> bytes:
    """Give the values of an array, row after row, as little-endian bytes of `dtype` (a numpy type string)."""
    return np.ascontiguousarray(array, dtype=dtype).tobytes()


def unpack(data: bytes, dtype: str, what: str, count: int | None = None) -> np.ndarray:
    """Read what `pack` wrote; `count` is the number of values it must hold, None for any.

    Raises:
        Refused: `bad_shape`, naming `what`, when the length does not fit.
    """
    width = np.dtype(dtype).itemsize
    if len(data) % width or (count is not None and len(data) != count * width):
        wanted = "a multiple of" if count is None else f"{count} times"
        raise Refused("bad_shape", f"{what} is {len(data)} bytes long, not {wanted} {width}")
    return np.frombuffer(data, dtype=dtype).astype(np.dtype(dtype).newbyteorder("="))


def pack_counts(counts: np.ndarray) -> bytes:
    """Give an int64 array of counts, mostly small or zero, compressed by zlib."""
    return zlib.compress(pack(counts, "<i8"), 6)


def unpack_counts(data: bytes, shape: tuple[int, ...], what: str) -> np.ndarray:
    """Read what `pack_counts` wrote, int64 of the given shape; never unpacks more than that shape holds.

    Raises:
        Refused: `bad_shape` for another length, `bad_bytes` when zlib cannot read it.
    """
    size_bytes = _ITEM_BYTES * int(np.prod(shape, dtype=np.int64))
    reader = zlib.decompressobj()
    try:
        raw = reader.decompress(data, size_bytes + 1)
    except zlib.error as error:
        raise Refused("bad_bytes", f"{what} is not zlib data: {error}") from error
    if len(raw) != size_bytes or not (reader.eof or size_bytes == 0):
        raise Refused("bad_shape", f"{what} does not hold {size_bytes} bytes, the size of shape {shape}")
    return unpack(raw, "<i8", what).reshape(shape)


def unpack_bytes(data: bytes, bound: int, what: str) -> bytes:
    """Read what zlib packed, at most `bound` bytes.

    Raises:
        Refused: `bad_bytes` when zlib cannot read it, `bad_shape` for more than that.
    """
    reader = zlib.decompressobj()
    try:
        raw = reader.decompress(data, bound)
    except zlib.error as error:
        raise Refused("bad_bytes", f"{what} is not zlib data: {error}") from error
    if not reader.eof:
        raise Refused("bad_shape", f"{what} is cut off, or more than {bound} bytes long")
    return raw
