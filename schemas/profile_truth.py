"""ProfileTruth: what the model's answers came to on the rows of the reference whose truth was known."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, get_args

from driftline.schemas.floors import Task
from driftline.schemas.packed import pack, unpack, unpack_bytes
from driftline.schemas.refusal import Refused

if TYPE_CHECKING:
    import numpy as np

TASKS: Final = get_args(Task)
DAYS_MAX: Final = 366
"""Days kept apart; the rows of earlier ones stand with the first of them."""
DAY_BYTES: Final = 4 << 20
"""Outcomes of one day, or a calibration; a hundred classes take a fiftieth of it."""


@dataclass(slots=True, frozen=True, eq=False)
class ProfileTruth:
    """What windows of a model version are held against.

    Attributes:
        task: one of `TASKS`.
        classes: in the order of the confusion; of a binary task (negative, positive); empty for regression.
        scores: names of the scores that were read: one, or one a class.
        threshold: of a binary score; above it the positive class was taken where a row named none.
        day_starts_ms: int64 (D,), UTC days, ascending; one of 0 for a reference without times.
        calibration: of many classes, what an estimate without labels needs, as bytes; empty without it
            (`streams/join/class_reference_bytes.py`).
        days: D outcomes as bytes (`streams/join/outcomes_bytes.py`, not compressed: a digest is made of them).
    """

    task: Task
    classes: tuple[str, ...]
    scores: tuple[str, ...]
    threshold: float
    day_starts_ms: np.ndarray
    days: tuple[bytes, ...]
    calibration: bytes = b""


def truth_record(truth: ProfileTruth | None) -> dict[str, Any] | None:
    """Give the record `ProfileTruth` of a profile."""
    if truth is None:
        return None
    return {
        "task": truth.task,
        "classes": list(truth.classes),
        "scores": list(truth.scores),
        "threshold": truth.threshold,
        "day_starts_ms": pack(truth.day_starts_ms, "<i8"),
        "calibration": zlib.compress(truth.calibration, 6),
        "days": [zlib.compress(day, 6) for day in truth.days],
    }


def read_truth(record: dict[str, Any] | None) -> ProfileTruth | None:
    """Read what `truth_record` gave.

    Raises:
        Refused: its parts do not fit each other, or the task is unknown.
    """
    if record is None:
        return None
    day_starts_ms = unpack(record["day_starts_ms"], "<i8", "day_starts_ms of the truth")
    if len(day_starts_ms) != len(record["days"]) or len(day_starts_ms) > DAYS_MAX:
        held = f"{len(day_starts_ms)} days and {len(record['days'])} outcomes"
        raise Refused("bad_shape", f"the truth of a profile has {held}; at most {DAYS_MAX}, as many of each")
    if record["task"] not in TASKS:
        message = f"the task of a profile is {record['task']!r}, it must be one of {', '.join(TASKS)}"
        raise Refused("impossible_value", message)
    return ProfileTruth(
        task=record["task"],
        classes=tuple(record["classes"]),
        scores=tuple(record["scores"]),
        threshold=record["threshold"],
        day_starts_ms=day_starts_ms,
        calibration=unpack_bytes(record["calibration"], DAY_BYTES, "the calibration of the truth"),
        days=tuple(unpack_bytes(day, DAY_BYTES, "a day of the truth") for day in record["days"]),
    )
