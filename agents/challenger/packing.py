"""Packing: what a challenger answered as one message, whatever its size, and what of it had to be left out. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from driftline.schemas.columns import pack_predictions
from driftline.schemas.refusal import Refused
from driftline.schemas.shapes import Category

if TYPE_CHECKING:
    from driftline.schemas.shapes import PredictionColumns


class Message(NamedTuple):
    """A batch as it is sent.

    Attributes:
        data: the bytes.
        errors: how many of its rows have the status `error`.
        why: why all of them are errors though the model answered; None when its answers are in it.
    """

    data: bytes
    errors: int
    why: str | None = None


def packed(answered: PredictionColumns) -> Message:
    """Encode a batch; what the scores make too large goes without its features, which the champion's batch has.

    What is no batch even so is told of as errors, with the features where they fit. Raises Refused for a batch that
    leaves no room for that either: it was as large as a message may be before anything was answered.
    """
    try:
        return Message(pack_predictions(answered), _errors(answered))
    except Refused as refusal:
        why = refusal.detail
    failed = _failed(answered)
    for cols, said in ((_bare(answered), None), (failed, why)):
        try:
            return Message(pack_predictions(cols), _errors(cols), said)
        except Refused:
            pass
    bare = _bare(failed)
    return Message(pack_predictions(bare), _errors(bare), why)


def _bare(cols: PredictionColumns) -> PredictionColumns:
    return replace(cols, features=[], categories=[], gaps=[])


def _failed(cols: PredictionColumns) -> PredictionColumns:
    status = Category("status", ("error",), np.zeros(cols.rows, np.int32))
    nothing = np.full(cols.rows, np.nan, np.float32)
    return replace(cols, scores=[], predicted=None, latency_ms=nothing, status=status)


def _errors(cols: PredictionColumns) -> int:
    if cols.status is None:
        return 0
    failed = [code for code, level in enumerate(cols.status.levels) if level == "error"]
    return int(np.isin(cols.status.codes, failed).sum())
