"""Reading: JSON of strangers as a struct; whatever is wrong with the bytes is one kind of error."""

from __future__ import annotations

from typing import TypeVar

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
