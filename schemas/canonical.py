"""Canonical: one sha256 over the content of nested values, whatever library packed or compressed them.

Compressed bytes differ between releases of zlib; a digest must not. So content is fed piece by piece, each
with a tag of its type and its length, which leaves no two different values with the same stream of bytes.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from hashlib import _Hash

_NAN: Final = struct.pack("<d", float("nan"))


def digest(value: object) -> str:
    """Give the sha256, in lower-case hex, of a value's content.

    Takes None, bool, int, float, str, bytes, numpy arrays, sequences, mappings with string keys (in sorted
    order) and dataclasses of these.

    Raises:
        TypeError: for any other type.

    >>> digest(("a", 1)) == digest(["a", 1])
    True
    >>> digest("1") == digest(1)
    False
    """
    state = hashlib.sha256()
    _feed(state, value)
    return state.hexdigest()


def _feed(state: _Hash, value: object) -> None:
    scalar = _scalar(value)
    if scalar is not None:
        _piece(state, *scalar)
    elif isinstance(value, np.ndarray):
        _feed_array(state, value)
    elif isinstance(value, Mapping):
        _piece(state, b"m", str(len(value)).encode())
        for key in sorted(value):
            _feed(state, key)
            _feed(state, value[key])
    elif isinstance(value, Sequence):
        _piece(state, b"l", str(len(value)).encode())
        for item in value:
            _feed(state, item)
    elif is_dataclass(value):
        _feed(state, {field.name: getattr(value, field.name) for field in fields(value)})
    else:
        name = type(value).__name__
        raise TypeError(f"a value of type {name} has no canonical form: give numbers, strings or arrays")


def _scalar(value: object) -> tuple[bytes, bytes] | None:
    # The tag of a str differs from that of bytes, a bool's from that of an int: 1, "1" and True are
    # three values.
    if value is None or isinstance(value, (bool, int)):
        return type(value).__name__[0].encode(), str(value).encode()
    if isinstance(value, float):
        return b"f", _NAN if math.isnan(value) else struct.pack("<d", value)
    if isinstance(value, str):
        return b"s", value.encode()
    return (b"x", value) if isinstance(value, bytes) else None


def _feed_array(state: _Hash, array: np.ndarray) -> None:
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    header = f"{array.dtype.kind}{array.dtype.itemsize}{array.shape}"
    _piece(state, b"h", header.encode())
    _piece(state, b"a", little.tobytes())


def _piece(state: _Hash, tag: bytes, data: bytes) -> None:
    state.update(tag + struct.pack("<Q", len(data)))
    state.update(data)
