"""Reading: JSON of strangers as a struct; whatever is wrong with the bytes is one kind of error."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def decoded(payload: bytes, kind: type[T]) -> T:
    """Read a payload.

    Raises:
        msgspec.MsgspecError: it is no such JSON, no UTF-8, nests without end, or holds what is not allowed; the message
            names the field.
    """
    try:
        return msgspec.json.decode(payload, type=kind)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(f"JSON cannot be read: {error}") from error


def without_twins(payload: bytes) -> bytes:
    """Give a payload back in which no object has a field twice: some readers would take the first, some the last.

    Raises:
        msgspec.MsgspecError: a field stands twice, at any depth; the message names it.
    """
    try:
        json.loads(payload, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise msgspec.DecodeError(f"JSON cannot be read: {error}") from error
    return payload


def _once(pairs: list[tuple[str, Any]]) -> None:
    names = set()
    for name, _ in pairs:
        if name in names:
            raise ValueError(f"the field {name[:80]!r} stands twice")
        names.add(name)
