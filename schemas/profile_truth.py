"""ProfileTruth: what the model's answers came to on the rows of the reference whose truth was known."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, get_args

from driftline.schemas.floors import Task
from driftline.schemas.packed import pack, unpack, unpack_bytes
from driftline.schemas.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy as np

TASKS: Final = get_args(Task)
DAYS_MAX: Final = 366
"""Days kept apart; the rows of earlier ones stand with the first of them."""
DAY_BYTES: Final = 4 << 20
"""Outcomes of one day, or a calibration; a hundred classes take a fiftieth of it."""

_TWO: Final = 2


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


def read_truth(record: dict[str, Any] | None, scores: Collection[str]) -> ProfileTruth | None:
    """Read what `truth_record` gave.

    Args:
        record: the record; None for a profile without truth.
        scores: names of the profile's score columns.

    Raises:
        Refused: its parts do not fit each other or the profile, or the task is unknown.
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
    wrong = _misfit(record["task"], record["classes"], record["scores"])
    if wrong is not None:
        held = f"{len(record['classes'])} classes and {len(record['scores'])} scores"
        raise Refused(
            "bad_shape", f"the truth of a profile, a task {record['task']!r}, has {held}; it needs {wrong}"
        )
    unknown = [name for name in record["scores"] if name not in scores]
    if unknown:
        raise Refused(
            "bad_shape", f"the truth of a profile reads score {unknown[0]!r}, which is no score column of it"
        )
    return ProfileTruth(
        task=record["task"],
        classes=tuple(record["classes"]),
        scores=tuple(record["scores"]),
        threshold=record["threshold"],
        day_starts_ms=day_starts_ms,
        calibration=unpack_bytes(record["calibration"], DAY_BYTES, "the calibration of the truth"),
        days=tuple(unpack_bytes(day, DAY_BYTES, "a day of the truth") for day in record["days"]),
    )


def _misfit(task: Task, classes: Sequence[str], scores: Sequence[str]) -> str | None:
    """Say what a task needs when it has something else; a reference may have known one class alone of many."""
    if task == "binary":
        fits, needed = len(classes) == _TWO and len(scores) <= 1, "2 classes and at most 1 score"
    elif task == "classes":
        fits, needed = (
            bool(classes) and len(scores) in {0, len(classes)},
            "classes, and no score or one for each",
        )
    else:
        fits, needed = not classes and len(scores) == 1, "no class and 1 score"
    return None if fits else needed
