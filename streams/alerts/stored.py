"""Stored: what the state topic holds of a partition: cases, what advice rests on, and how far it has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from driftline.schemas.refusal import Refused
from driftline.streams.alerts.advising import Advising
from driftline.streams.alerts.case import Case
from driftline.streams.alerts.changing import Changing

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT: Final = 1
ROW: Final = b"row"
CASE: Final = b"case/"
ADVICE: Final = b"advice/"
CHANGES: Final = b"changes/"
"""Keys: of the row, and what stands before the name of a deployment."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """How far a partition has come."""

    format: int = FORMAT
    topic_id: str
    offset: int
    commit: int


class Stored(msgspec.Struct, kw_only=True):
    """A case, with the edges of the commit that stored it."""

    commit: int
    outbox: list[bytes]
    case: Case


class StoredAdvising(msgspec.Struct, kw_only=True):
    """What advice rests on, with the events of the commit that stored it."""

    commit: int
    outbox: list[bytes]
    state: Advising


class StoredChanging(msgspec.Struct, kw_only=True):
    """What change points rest on, with the edges of the commit that stored it."""

    commit: int
    outbox: list[bytes]
    state: Changing


class Held(NamedTuple):
    """What is stored of a partition; `row` is None when nothing is."""

    row: Row | None
    cases: list[Stored]
    beside: list[StoredAdvising | StoredChanging]


def reached(row: bytes | None) -> int:
    """How far a stored row has come; -1 for none. Of two the greater holds: a paused worker may have written late."""
    return -1 if row is None else msgspec.msgpack.decode(row, type=Row).offset


def read_stored(records: Mapping[bytes, bytes], topic_id: str) -> Held:
    """Read what is stored of a partition.

    Raises:
        Refused: it is of another topic, or of another release.
    """
    try:
        row = msgspec.msgpack.decode(records[ROW], type=Row) if ROW in records else None
        held = Held(
            row,
            _read(records, CASE, Stored),
            _read(records, ADVICE, StoredAdvising) + _read(records, CHANGES, StoredChanging),
        )
    except msgspec.DecodeError as error:
        raise Refused("bad_bytes", f"the state of alerts cannot be read: {error}") from error
    if row is not None and row.format != FORMAT:
        raise Refused("unknown_schema", f"the state of alerts has format {row.format}, not {FORMAT}")
    if row is not None and row.topic_id != topic_id:
        raise Refused("bad_shape", f"the state of alerts is of topic {row.topic_id}, not {topic_id}")
    return held


def _read(records: Mapping[bytes, bytes], prefix: bytes, kind: type[Any]) -> list[Any]:
    values = (value for key, value in records.items() if key.startswith(prefix))
    return [msgspec.msgpack.decode(value, type=kind) for value in values]
