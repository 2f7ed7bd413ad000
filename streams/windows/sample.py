"""Sample: the rows of a reference, gathered column by column from the batches they come in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from driftline.schemas.errors import DriftlineError
from driftline.schemas.shapes import Category, PredictionColumns
from driftline.streams.windows.plan import categories


class SampleError(DriftlineError):
    """Batches that cannot be one reference."""


@dataclass(slots=True, eq=False)
class SampleColumn:
    """One column of a reference.

    Attributes:
        name: its name; `predicted` and `status` for those roles.
        role: as in `ProfileColumn`.
        values: float32 or float64 (rows,), NaN where there is none; None for a categorical column.
        codes: int64 (rows,), index into `levels`, -1 for null; None for a numeric column.
        levels: its strings.
        nulls: bool (rows,), rows without a value.
        wrong: bool (rows,), rows whose value had a wrong type.
    """

    name: str
    role: str
    values: np.ndarray | None
    codes: np.ndarray | None
    levels: tuple[str, ...]
    nulls: np.ndarray
    wrong: np.ndarray


@dataclass(slots=True, eq=False)
class Sample:
    """A reference: its columns, and int64 event times (rows,) in ms since 1970."""

    deployment: str
    model_version: str
    rows: int
    times_ms: np.ndarray
    columns: list[SampleColumn]


def gather(batches: Iterable[PredictionColumns]) -> Sample:
    """Gather batches of one deployment and model version, all with the same columns.

    Raises:
        SampleError: without a row, or when a batch differs from the first.
    """
    parts: dict[tuple[str, str], _Parts] = {}
    times: list[np.ndarray] = []
    first: PredictionColumns | None = None
    for cols in batches:
        first = first or cols
        _check_same(first, cols)
        times.append(cols.times_ms)
        _add(parts, cols, is_first=cols is first)
    if first is None or sum(map(len, times)) == 0:
        raise SampleError("the reference has no rows: give at least one row to build a profile from")
    return Sample(
        deployment=first.deployment,
        model_version=first.model_version,
        rows=sum(map(len, times)),
        times_ms=np.concatenate(times),
        columns=[part.column(name, role) for (role, name), part in parts.items()],
    )


@dataclass(slots=True, eq=False)
class _Parts:
    """One column, batch after batch; levels are numbered in the order they are met."""

    numeric: bool
    pieces: list[np.ndarray] = field(default_factory=list)
    nulls: list[np.ndarray] = field(default_factory=list)
    wrong: list[np.ndarray] = field(default_factory=list)
    level_codes: dict[str, int] = field(default_factory=dict)

    def add_codes(self, category: Category) -> None:
        codes = [self.level_codes.setdefault(level, len(self.level_codes)) for level in category.levels]
        # Code -1, for null, picks the last entry.
        self.pieces.append(np.array([*codes, -1], np.int64)[category.codes])

    def column(self, name: str, role: str) -> SampleColumn:
        whole = np.concatenate(self.pieces)
        wrong = np.concatenate(self.wrong)
        return SampleColumn(
            name=name,
            role=role,
            values=whole if self.numeric else None,
            codes=None if self.numeric else whole,
            levels=tuple(self.level_codes),
            nulls=np.concatenate(self.nulls) if self.numeric else (whole < 0) & ~wrong,
            wrong=wrong,
        )


def _add(parts: dict[tuple[str, str], _Parts], cols: PredictionColumns, *, is_first: bool) -> None:
    gaps = {gap.name: gap for gap in cols.gaps}
    none = np.zeros(cols.rows, np.bool_)
    met = 0
    for role, found in (("feature", cols.features), ("score", cols.scores)):
        for block in found:
            for name, values in zip(block.names, block.values, strict=True):
                part = _part(parts, (role, name), numeric=True, is_first=is_first)
                gap = gaps.get(name)
                part.pieces.append(values)
                part.nulls.append(none if gap is None or gap.nulls is None else gap.nulls)
                part.wrong.append(none if gap is None or gap.wrong is None else gap.wrong)
                met += 1
    for role, name, category in categories(cols):
        part = _part(parts, (role, name), numeric=False, is_first=is_first)
        gap = gaps.get(name) if role == "feature" else None
        part.add_codes(category)
        part.wrong.append(none if gap is None or gap.wrong is None else gap.wrong)
        met += 1
    if met != len(parts):
        raise SampleError(
            f"a batch of the reference has {met} columns where others have {len(parts)}: give every batch the same"
        )


def _part(
    parts: dict[tuple[str, str], _Parts], key: tuple[str, str], *, numeric: bool, is_first: bool
) -> _Parts:
    if is_first:
        return parts.setdefault(key, _Parts(numeric))
    part = parts.get(key)
    if part is None or part.numeric != numeric:
        role, name = key
        raise SampleError(
            f"{role} {name!r} is not of one kind in all batches of the reference: give it one type"
        )
    return part


def _check_same(first: PredictionColumns, cols: PredictionColumns) -> None:
    for what in ("deployment", "model_version"):
        one, other = getattr(first, what), getattr(cols, what)
        if one != other:
            raise SampleError(
                f"the reference has two values of {what}, {one!r} and {other!r}: give one of them"
            )
