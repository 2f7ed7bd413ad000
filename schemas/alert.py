"""Alert: one edge of an alert as it travels on the topic `alerts`, and the names that edges have."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from driftline.schemas import codec
from driftline.schemas.refusal import Refused
from driftline.schemas.wire import MAX_TIME_MS

_RECORD: Final = "Alert"
ID_CHARS: Final = 16
"""Hexadecimal digits of an alert's name: two of a million alerts share one with a chance of 3 in 100 million."""

Moment = Annotated[int, msgspec.Meta(ge=0, lt=MAX_TIME_MS)]
Id = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-z-]{1,120}\Z")]
"""A name that may stand in a header of a request."""

State: TypeAlias = Literal["firing", "resolved", "acknowledged"]
Severity: TypeAlias = Literal["warn", "fail"]
Rule: TypeAlias = Literal["windows", "change", "silence", "ledger"]


class Subject(NamedTuple):
    """What one alert of a deployment is about: a subject of the settings, a feature or metric, a segment, a slot."""

    about: str
    name: str = ""
    segment: str = ""
    slot: str = ""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of the window that decided; fields as those of `driftline.schemas.window.Figure`."""

    feature: str
    metric: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    null: float | None = None
    floor: float | None = None
    block: float | None = None
    verdict: str | None = None
    reason: str = ""
    rows: int = 0


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One edge, or one acknowledgement; what each field means stands in `events/alert.v1.avsc`."""

    id: Id
    alert_id: Id
    ordinal: int
    deployment: str
    rule: Rule
    about: str
    name: str = ""
    segment: str = ""
    slot: str = ""
    state: State
    severity: Severity
    importance: Literal["low", "normal", "high", "critical"]
    priority: Annotated[int, msgspec.Meta(ge=1, le=5)]
    reason: str
    model_version: str = ""
    resolution: str = ""
    window_start_ms: Moment | None = None
    window_end_ms: Moment | None = None
    window_version: int = -1
    rows: int = 0
    since_ms: Moment
    made_at_ms: Moment
    settings_revision: int = 0
    owner: str | None = None
    team: str | None = None
    runbook: str | None = None
    routes: tuple[str, ...] = ()
    figures: tuple[Evidence, ...] = ()
    by: str = ""
    comment: str = ""

    @property
    def subject(self) -> Subject:
        """What it is about."""
        return Subject(self.about, self.name, self.segment, self.slot)

    def to_bytes(self) -> bytes:
        """Give the Avro single-object encoding (record `Alert`); raises Refused when it is too large."""
        return codec.encode(_RECORD, msgspec.to_builtins(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> Alert:
        """Read what `to_bytes` wrote; raises Refused when the bytes are no such record."""
        record = codec.decode_as(_RECORD, data)
        try:
            return msgspec.convert(record, cls)
        except msgspec.ValidationError as error:
            raise Refused("impossible_value", f"an alert of {record['deployment']!r}: {error}") from error


def alert_name(deployment: str, rule: str, subject: Subject) -> str:
    """Name an alert: the same for ever for a deployment, a rule and a subject.

    >>> alert_name("flights", "windows", Subject("drift", "distance", "", "champion"))
    'e2045f42dedcdb7c'
    """
    parts = msgspec.json.encode([deployment, rule, *subject])
    return hashlib.sha256(parts).hexdigest()[:ID_CHARS]


def edge_name(alert_id: str, ordinal: int) -> str:
    """Name an edge, which is also the key by which a receiver knows one that is sent again."""
    return f"{alert_id}-{ordinal}"


def acknowledgement(edge: Alert, by: str, comment: str, now_ms: int) -> Alert:
    """Say that somebody knows of an edge."""
    changed: dict[str, Any] = {
        "id": f"{edge.id}-ack-{now_ms}",
        "state": "acknowledged",
        "made_at_ms": now_ms,
        "by": by,
        "comment": comment,
        "routes": (),
        "figures": (),
    }
    return msgspec.structs.replace(edge, **changed)
