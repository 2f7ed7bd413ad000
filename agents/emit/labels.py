"""Labels as they wait, and as the columns of one batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from driftline.agents.emit.errors import BadEvent
from driftline.schemas.columns import Category, LabelColumns
from driftline.schemas.ids import ID_BYTES
from driftline.schemas.scalars import is_null, number_of, text_of

# What one waiting label takes in memory, in bytes, without its texts.
LABEL_BYTES = 360


class Label(NamedTuple):
    """One label: a class (str), a number (float), or None when an earlier label is withdrawn."""

    id: bytes
    original_id: str | None
    known_at_ms: int
    value: float | str | None

    @property
    def size_bytes(self) -> int:
        """Memory it takes while it waits."""
        texts = len(self.original_id) if self.original_id is not None else 0
        if isinstance(self.value, str):
            texts += len(self.value)
        return LABEL_BYTES + 4 * texts


@dataclass(slots=True)
class LabelChunk:
    """Some labels on their way into one batch."""

    labels: Sequence[Label]

    @property
    def rows(self) -> int:
        """Number of labels."""
        return len(self.labels)

    def part(self, start: int, stop: int) -> LabelChunk:
        """The labels from start to before stop."""
        return LabelChunk(self.labels[start:stop])

    def bare(self) -> LabelChunk:
        """The same: a label has nothing that others brought."""
        return self


def truth_of(value: Any) -> float | str:
    """The value of a label: a text or a boolean is a class, anything else that is a number is one.

    Raises BadEvent for a value that is neither, and for NaN, which is no truth.
    """
    if isinstance(value, str | bool | np.bool_):
        text = text_of(value)
        if text is not None:
            return text
    number = None if is_null(value) else number_of(value)
    if number is None or math.isnan(number):
        raise BadEvent(
            f"the label is {value!r:.60}; give a class (string, bool) or a number, or withdrawn=True"
        )
    return number


def to_columns(chunk: LabelChunk, deployment: str) -> LabelColumns:
    """Give the labels as columns, without their identity."""
    labels = chunk.labels
    numbers = np.array([one.value if isinstance(one.value, float) else np.nan for one in labels], np.float64)
    originals = [one.original_id for one in labels]
    cols = LabelColumns(
        deployment=deployment,
        rows=len(labels),
        identity=None,
        ids=np.frombuffer(b"".join(one.id for one in labels), np.uint8).reshape(len(labels), ID_BYTES),
        original_ids=originals if any(one is not None for one in originals) else None,
        known_at_ms=np.array([one.known_at_ms for one in labels], np.int64),
        numbers=None if np.isnan(numbers).all() else numbers,
    )
    levels: dict[str, int] = {}
    codes = [
        levels.setdefault(one.value, len(levels)) if isinstance(one.value, str) else -1 for one in labels
    ]
    if levels:
        cols.classes = Category("class", tuple(levels), np.array(codes, np.int32))
    withdrawn = np.array([one.value is None for one in labels], np.bool_)
    cols.withdrawn = withdrawn if withdrawn.any() else None
    return cols
