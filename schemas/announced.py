"""Announced: what the topic `alerts` carries: edges of alerts, and advice on retraining that has changed."""

from __future__ import annotations

from driftline.schemas import codec
from driftline.schemas.advice import Advice
from driftline.schemas.alert import Alert


def announced(data: bytes) -> Alert | Advice:
    """Read a record of the topic; raises Refused when the bytes are neither."""
    if codec.written_by(data).record_type == "Advice":
        return Advice.from_bytes(data)
    return Alert.from_bytes(data)
