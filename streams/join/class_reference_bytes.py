"""What estimates of many classes keep of a reference, as bytes: msgpack, equal for equal references."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

import msgspec
import numpy as np

from driftline.streams.stats.class_calibration import ClassReference

_NAMES: Final = tuple(field.name for field in fields(ClassReference))


def encode(reference: ClassReference) -> bytes:
    """Give the bytes of a reference."""
    return msgspec.msgpack.encode({name: _plain(getattr(reference, name)) for name in _NAMES})


def decode(data: bytes) -> ClassReference:
    """The reverse of `encode`.

    Raises:
        ValueError: the bytes are no such reference.
    """
    try:
        body = msgspec.msgpack.decode(data)
        return ClassReference(**{name: _value(body[name]) for name in _NAMES})
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"damaged calibration: {error}") from error


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a field holds
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.ndarray):
        kind = "<f8" if value.dtype.kind == "f" else "<i8"
        return {"kind": kind, "shape": list(value.shape), "data": value.astype(kind).tobytes()}
    return value


def _value(plain: Any) -> Any:  # noqa: ANN401 - the same
    if isinstance(plain, list):
        return tuple(_value(one) for one in plain)
    if isinstance(plain, dict):
        flat = np.frombuffer(plain["data"], plain["kind"])
        return flat.astype(flat.dtype.newbyteorder("=")).reshape(plain["shape"])
    return plain
