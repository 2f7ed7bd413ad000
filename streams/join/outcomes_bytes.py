"""Outcomes as bytes: msgpack, compressed; sums as big-endian two's complement, whatever their size."""

from __future__ import annotations

from typing import Any, Final

import cramjam
import msgspec
import numpy as np

from driftline.streams.join.outcomes import COUNTS, TABLES, Outcomes

FORMAT: Final = 2
_PLAIN: Final = ("digest", *COUNTS)


def pack(outcomes: Outcomes) -> bytes:
    """Give the bytes of outcomes, compressed."""
    return bytes([FORMAT]) + bytes(cramjam.zstd.compress(encode(outcomes), level=3))


def unpack(data: bytes) -> Outcomes:
    """The reverse of `pack`.

    Raises:
        ValueError: the bytes are no outcomes of this format.
    """
    if data[:1] != bytes([FORMAT]):
        raise ValueError(f"outcomes of format {data[:1].hex() or 'none'}; this release reads {FORMAT}")
    try:
        plain = bytes(cramjam.zstd.decompress(data[1:]))
    except cramjam.DecompressionError as error:
        raise ValueError(f"damaged outcomes: {error}") from error
    return decode(plain)


def encode(outcomes: Outcomes) -> bytes:
    """Give the bytes of outcomes as they are: equal for equal outcomes, whatever compresses them."""
    return msgspec.msgpack.encode(_body(outcomes))


def decode(data: bytes) -> Outcomes:
    """The reverse of `encode`.

    Raises:
        ValueError: the bytes are no outcomes.
    """
    try:
        return _outcomes(msgspec.msgpack.decode(data))
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"damaged outcomes: {error}") from error


def _body(outcomes: Outcomes) -> dict[str, Any]:
    body = {name: getattr(outcomes, name) for name in _PLAIN}
    body |= {name: _table(getattr(outcomes, name)) for name in TABLES}
    body["calibration_sums"] = [_whole(one) for one in outcomes.calibration_sums]
    body["sums"] = {name: _whole(one) for name, one in outcomes.sums.items()}
    body["delays"] = None if outcomes.delays is None else _table(outcomes.delays)
    body["groups"] = {
        name: [(at, _body(held[at])) for at in sorted(held)] for name, held in sorted(outcomes.groups.items())
    }
    return body


def _outcomes(body: dict[str, Any]) -> Outcomes:
    fields: dict[str, Any] = {name: body[name] for name in _PLAIN}
    fields |= {name: _array(*body[name]) for name in TABLES}
    fields["calibration_sums"] = [_number(one) for one in body["calibration_sums"]]
    fields["sums"] = {name: _number(one) for name, one in body["sums"].items()}
    fields["delays"] = None if body["delays"] is None else _array(*body["delays"])
    groups = body["groups"].items()
    fields["groups"] = {name: {at: _outcomes(one) for at, one in held} for name, held in groups}
    return Outcomes(**fields)


def _table(table: np.ndarray) -> tuple[list[int], bytes]:
    return list(table.shape), table.astype("<i8").tobytes()


def _array(shape: list[int], data: bytes) -> np.ndarray:
    return np.frombuffer(data, "<i8").astype(np.int64).reshape(shape)


def _whole(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)
