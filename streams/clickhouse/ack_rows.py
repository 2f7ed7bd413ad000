"""Rows of `acks` from what serving agents said; whose key signed is kept, and believed by nobody here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pyarrow as pa

from driftline.schemas.control.ack import Ack, Heartbeat
from driftline.schemas.control.envelope import Envelope, EnvelopeError
from driftline.schemas.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIME: Final = pa.timestamp("ms", "UTC")
_LAST_MS: Final = 7_258_118_400_000  # 2200: what the table's times can hold
_REVISIONS: Final = pa.map_(pa.string(), pa.uint64())


@dataclass(frozen=True, slots=True)
class Said:
    """What was said, and the ids of the keys that signed it."""

    what: Ack | Heartbeat
    keyids: tuple[str, ...]


def said_of(value: bytes) -> Said:
    """Read a record of `acks`; raises Refused when it is none."""
    try:
        envelope = Envelope.from_bytes(value)
        what = _read(envelope.body)
    except (EnvelopeError, msgspec.MsgspecError) as error:
        raise Refused("bad_bytes", f"this is no ack: {error}"[:500]) from error
    return Said(what, tuple(signature.keyid for signature in envelope.signatures))


def ack_rows(said: Sequence[Said], offsets: Sequence[int], times_ms: Sequence[int]) -> pa.Table:
    """Give the rows of `acks`.

    Args:
        said: what came, in the order of the log.
        offsets: where each lies in the topic.
        times_ms: when each came, ms since 1970.
    """
    what = [one.what for one in said]
    columns: dict[str, Any] = {
        name: pa.array([getattr(one, name) for one in what], pa.string())
        for name in ("installation", "instance", "boot_id")
    }
    columns |= {
        name: pa.array([getattr(one, name, "") for one in what], pa.string())
        for name in ("deployment", "outcome", "reason")
    }
    columns["kind"] = ["ack" if isinstance(one, Ack) else "heartbeat" for one in what]
    columns["revision"] = pa.array([_count(getattr(one, "revision", None)) for one in what], pa.uint64())
    columns["at"] = pa.array([min(max(one.at_ms, 0), _LAST_MS) for one in what], _TIME)
    columns["seconds"] = pa.array([getattr(one, "seconds", None) for one in what], pa.float64())
    columns["revisions"] = pa.array([_revisions(one) for one in what], _REVISIONS)
    columns["free_bytes"] = pa.array([getattr(one, "free_bytes", None) for one in what], pa.int64())
    columns["is_draining"] = [getattr(one, "is_draining", False) for one in what]
    columns["keyids"] = pa.array([list(one.keyids) for one in said], pa.list_(pa.string()))
    columns["src_offset"] = pa.array(offsets, pa.uint64())
    columns["arrived"] = pa.array([max(at_ms, 0) for at_ms in times_ms], _TIME)
    return pa.table(columns)


def _read(body: bytes) -> Ack | Heartbeat:
    """A heartbeat names the revisions it serves, an ack the one it answers."""
    return Ack.from_bytes(body) if b'"outcome":' in body else Heartbeat.from_bytes(body)


def _count(value: int | None) -> int | None:
    return None if value is None else max(value, 0)


def _revisions(what: Ack | Heartbeat) -> list[tuple[str, int]]:
    return [] if isinstance(what, Ack) else [(name, max(at, 0)) for name, at in what.revisions.items()]
