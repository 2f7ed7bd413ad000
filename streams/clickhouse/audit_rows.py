"""Rows of `audit` from records of the audit, which are kept whole beside what is read out of them.

Nobody checked their signatures or their chain: what the table holds proves nothing, and nothing in it is obeyed.
`driftline audit verify` and `trace --verify` read Kafka, and so does whoever says what is to be forgotten.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from driftline.schemas.refusal import Refused
from driftline.streams.clickhouse import arrow

if TYPE_CHECKING:
    from collections.abc import Sequence

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_LAST_MS: Final = 7_258_118_400_000  # 2200: what the table's times can hold
_TEXTS: Final = ("prev_hash", "event", "op", "command", "actor", "deployment", "profile", "state_after", "reject",
                 "agent")  # fmt: skip


class _Model(msgspec.Struct, frozen=True):
    name: str
    version: str
    manifest: str


class _State(msgspec.Struct, frozen=True):
    tier: str = ""
    champion: _Model | None = None


class _Detail(msgspec.Struct, frozen=True):
    state: Any = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a record that become columns; whatever else it has stays in its bytes."""

    seq: _Count
    prev_hash: str
    event: str
    decided_at_ms: Annotated[int, msgspec.Meta(ge=0, le=_LAST_MS)]
    op: str | None = None
    command: str | None = None
    actor: str | None = None
    approvers: tuple[str, ...] = ()
    deployment: str | None = None
    model: _Model | None = None
    profile: str | None = None
    revision_before: _Count | None = None
    revision_after: _Count | None = None
    state_after: str | None = None
    reject: str | None = None
    reasons: tuple[str, ...] = ()
    agent: str | None = None
    detail: _Detail | None = None
    value: bytes = b""

    @property
    def state(self) -> _State:
        """What the record says of the state after it; nothing when it says nothing that can be read."""
        text = None if self.detail is None else self.detail.state
        try:
            return msgspec.json.decode(text, type=_State) if isinstance(text, str) else _State()
        except msgspec.MsgspecError:
            return _State()


_LINE: Final = msgspec.json.Decoder(Line)


def line_of(value: bytes) -> Line:
    """Read a record; raises Refused when it is none."""
    try:
        return msgspec.structs.replace(_LINE.decode(value), value=value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("bad_bytes", f"this is no record of the audit: {error}"[:500]) from error


def audit_rows(lines: Sequence[Line], offsets: Sequence[int], times_ms: Sequence[int]) -> pa.Table:
    """Give the rows of `audit`.

    Args:
        lines: records, in the order of the log.
        offsets: where each lies in the topic.
        times_ms: when each came, ms since 1970.
    """
    states = [line.state for line in lines]
    models = [line.model for line in lines]
    columns: dict[str, Any] = {
        name: pa.array([getattr(line, name) or "" for line in lines], pa.string()) for name in _TEXTS
    }
    columns |= {
        name: pa.array([getattr(line, name) for line in lines], pa.uint64())
        for name in ("seq", "revision_before", "revision_after")
    }
    columns |= {
        name: pa.array([list(getattr(line, name)) for line in lines], pa.list_(pa.string()))
        for name in ("approvers", "reasons")
    }
    for name, field in (("model", "name"), ("model_version", "version"), ("manifest", "manifest")):
        columns[name] = ["" if model is None else getattr(model, field) for model in models]
    columns["tier"] = [state.tier for state in states]
    columns["champion"] = ["" if state.champion is None else state.champion.version for state in states]
    columns["digest"] = [hashlib.sha256(line.value).hexdigest() for line in lines]
    columns["record"] = pa.array([line.value for line in lines], pa.binary())
    columns["decided_at"] = _times([line.decided_at_ms for line in lines])
    columns["src_offset"] = pa.array(offsets, pa.uint64())
    columns["arrived"] = _times(times_ms)
    return pa.table(columns)


def _times(values_ms: Sequence[int]) -> pa.Array:
    return arrow.times(np.maximum(np.array(values_ms, np.int64), 0))
