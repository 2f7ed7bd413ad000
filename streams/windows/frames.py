"""Frames: a dict of arrays, a pandas or polars frame or an Arrow table as columns of one batch.

None of those libraries is imported: each is known by what its objects can do. None, NA and Arrow's null are
nulls; a float NaN is a value, as it is to the emitter.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftline.schemas.errors import DriftlineError
from driftline.schemas.scalars import is_null, kind_of, number_of, seconds_in, text_of
from driftline.schemas.shapes import Category, Gap, NumericBlock, PredictionColumns

_NUMBER_KINDS = "fiu"
_TIME_KINDS = "mM"
_MADE_OF_PARTS = (list, tuple, set, frozenset, dict, np.ndarray)


class FrameError(DriftlineError):
    """A table that cannot be compared: a column is missing, or of a type that has no place in a bin."""


def names_of(frame: Any) -> list[str]:  # noqa: ANN401 - a frame of whichever library
    """Names of the columns of a frame, in its order.

    Raises:
        FrameError: the object is none of the known kinds of table.

    """
    if isinstance(frame, Mapping):
        return [str(name) for name in frame]
    names = getattr(frame, "column_names", None)  # Arrow
    if names is None:
        names = getattr(frame, "columns", None)  # pandas, polars
    if names is None or callable(names):
        kind = type(frame).__name__
        raise FrameError(f"a {kind} is no table: give a dict of arrays, a data frame or an Arrow table")
    return [str(name) for name in names]


def batch_of(
    frame: Any,  # noqa: ANN401 - a frame of whichever library
    features: Sequence[str],
    *,
    scores: Sequence[str] = (),
    predicted: str | None = None,
    timestamps: str | None = None,
    numbers: Collection[str] = (),
) -> PredictionColumns:
    """Turn a frame into one batch: numbers as float64, everything else as levels.

    Args:
        frame: the table.
        features: names of the features.
        scores: names of the scores.
        predicted: name of the predicted class.
        timestamps: name of the event times: datetimes (without a zone taken as UTC) or ms since 1970.
        numbers: features that are numbers whatever this frame holds; a text there has a wrong type.

    Raises:
        FrameError: a column is missing or there twice, or the columns differ in length.

    """
    names = names_of(frame)
    have = set(names)
    wanted = [*features, *scores, *(name for name in (predicted, timestamps) if name is not None)]
    for name in wanted:
        if name not in have:
            raise FrameError(f"the table has no column {name!r}: it has {', '.join(sorted(have)) or 'none'}")
        if names.count(name) > 1:
            raise FrameError(f"the table has {names.count(name)} columns named {name!r}: rename all but one")
        if wanted.count(name) > 1:
            raise FrameError(
                f"column {name!r} is named {wanted.count(name)} times: give each column one part"
            )
    columns = {name: _checked(name, _column(frame, name)) for name in wanted}
    sizes = {len(values) for values, _ in columns.values()}
    if len(sizes) > 1:
        raise FrameError(f"the columns have different lengths: {', '.join(map(str, sorted(sizes)))}")
    rows = sizes.pop() if sizes else 0
    gaps: list[Gap] = []
    numeric = [name for name in features if name in numbers or _is_numeric(*columns[name])]
    return PredictionColumns(
        deployment="comparison",
        model_version="comparison",
        slot="champion",
        rows=rows,
        identity=None,
        ids=np.zeros((rows, 16), np.uint8),
        original_ids=None,
        times_ms=np.zeros(rows, np.int64) if timestamps is None else _times(timestamps, *columns[timestamps]),
        features=_block(numeric, columns, gaps),
        categories=[_category(name, *columns[name], gaps) for name in features if name not in set(numeric)],
        gaps=gaps,
        scores=_block(list(scores), columns, gaps),
        predicted=None if predicted is None else _category("predicted", *columns[predicted], []),
    )


def _column(frame: Any, name: str) -> Any:  # noqa: ANN401 - a column of whichever library
    if isinstance(frame, Mapping) or not hasattr(frame, "column_names"):
        keys = frame if isinstance(frame, Mapping) else frame.columns
        return frame[next(key for key in keys if str(key) == name)]  # a data frame may have numbers for names
    column = frame.column(name)
    return column.combine_chunks() if hasattr(column, "combine_chunks") else column


def _checked(name: str, column: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:  # noqa: ANN401 - as above
    """Give values and nulls of a column that has one value a row.

    Raises:
        FrameError: it is no column, or its values are made of other values.

    """
    if isinstance(column, str | bytes | Mapping) or not (
        hasattr(column, "__len__") and hasattr(column, "__getitem__")
    ):
        raise FrameError(
            f"column {name!r} is of type {type(column).__name__}: give an array or a list, one value a row"
        )
    try:
        values, nulls = _array(column)
    except (TypeError, ValueError) as error:
        raise FrameError(f"column {name!r} is no array of one value a row: {error}") from error
    if values.ndim != 1:
        raise FrameError(f"column {name!r} has the shape {values.shape}: give one value a row")
    known = values[~nulls][:1].tolist() if values.dtype.kind == "O" else []
    if values.dtype.kind in "Vc" or isinstance(next(iter(known), None), _MADE_OF_PARTS):
        kind = type(known[0]).__name__ if known else values.dtype
        raise FrameError(f"column {name!r} holds values of type {kind}: give the parts columns of their own")
    return values, nulls


def _array(column: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:  # noqa: ANN401 - as above
    """Values as a numpy array, and which of them are null; under a null lies anything."""
    if hasattr(column, "dictionary_decode"):  # levels of Arrow
        column = column.dictionary_decode()
    if hasattr(column, "is_null"):  # Arrow, polars
        options = {"zero_copy_only": False} if hasattr(column, "type") else {}
        nulls = np.asarray(column.is_null().to_numpy(**options), np.bool_)
        return np.asarray(column.to_numpy(**options)), nulls
    dtype = getattr(column, "dtype", None)
    if hasattr(column, "isna") and not isinstance(dtype, np.dtype):  # a type of pandas' own
        nulls = np.asarray(column.isna(), np.bool_)
        wanted = "datetime64[ms]" if getattr(dtype, "kind", "O") == "M" else object
        values = column.to_numpy(dtype=wanted)
        if hasattr(column, "cat"):  # categories are levels, whatever they are of
            values = np.array([_level(value) for value in values.tolist()], object)
        return values, nulls
    values = np.asarray(column)
    if isinstance(column, np.ma.MaskedArray):
        return values, np.array(np.ma.getmaskarray(column))
    if values.dtype.kind == "O":
        return values, np.array([is_null(value) for value in values.tolist()], np.bool_)
    if values.dtype.kind in _TIME_KINDS:
        return values, np.isnat(values)
    return values, np.zeros(len(values), np.bool_)


def _is_numeric(values: NDArray[Any], nulls: NDArray[np.bool_]) -> bool:
    """Whether a column is one of numbers; a column of objects is what its first value is: booleans are levels."""
    if values.dtype.kind in _NUMBER_KINDS + _TIME_KINDS:
        return True
    known = values[~nulls]
    return len(known) == 0 or kind_of(known[0]) == "number"


def _block(
    names: Sequence[str],
    columns: Mapping[str, tuple[NDArray[Any], NDArray[np.bool_]]],
    gaps: list[Gap],
) -> list[NumericBlock]:
    """Stack columns of numbers, and enter their nulls and values of a wrong type as gaps."""
    if not names:
        return []
    stacked = []
    for name in names:
        values, nulls = columns[name]
        numbers, wrong = _numbers(values, nulls)
        if nulls.any() or wrong.any():
            gaps.append(Gap(name, nulls if nulls.any() else None, wrong if wrong.any() else None))
        stacked.append(numbers)
    return [NumericBlock(tuple(names), np.stack(stacked))]


def _numbers(values: NDArray[Any], nulls: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values as float64, NaN where there is none, and which are no numbers."""
    if values.dtype.kind in _TIME_KINDS:
        numbers = seconds_in(values)
    elif values.dtype.kind in _NUMBER_KINDS + "b":
        numbers = values.astype(np.float64)
    else:
        found = [None if null else number_of(value) for value, null in zip(values, nulls, strict=True)]
        numbers = np.array([math.nan if number is None else number for number in found], np.float64)
        wrong = np.array([number is None for number in found], np.bool_) & ~nulls
        return numbers, wrong
    return np.where(nulls, np.nan, numbers), np.zeros(len(values), np.bool_)


def _category(name: str, values: NDArray[Any], nulls: NDArray[np.bool_], gaps: list[Gap]) -> Category:
    """Values as levels in the order of their names and codes, -1 for null; what is no level is entered as a gap."""
    listed = values.tolist()
    nan = [isinstance(value, float | np.floating) and bool(np.isnan(value)) for value in listed]
    nulls = nulls | np.array(nan, np.bool_)
    texts = [None if null else _level(value) for value, null in zip(listed, nulls, strict=True)]
    wrong = np.array([text is None for text in texts], np.bool_) & ~nulls
    if wrong.any():
        gaps.append(Gap(name, None, wrong))
    levels = sorted({text for text in texts if text is not None})
    code_of: dict[str | None, int] = {level: code for code, level in enumerate(levels)}
    codes = np.array([code_of.get(text, -1) for text in texts], np.int32)
    return Category(name, tuple(levels), codes)


def _level(value: object) -> str | None:
    """A value as the emitter writes it, and what it would not take, as intervals and periods, as it prints."""
    text = text_of(value)
    return str(value) if text is None and not isinstance(value, str | bytes) else text


def _times(name: str, values: NDArray[Any], nulls: NDArray[np.bool_]) -> NDArray[np.int64]:
    if nulls.any():
        raise FrameError(f"column {name!r} has {int(nulls.sum())} rows without a time: fill or drop them")
    if values.dtype.kind == "O":
        try:
            values = values.astype("datetime64[ms]")
        except (TypeError, ValueError, OverflowError) as error:
            raise FrameError(f"column {name!r} holds no times: give datetimes or ms since 1970") from error
    if values.dtype.kind == "M":
        values = values.astype("datetime64[ms]")
    elif values.dtype.kind not in "iu":
        raise FrameError(f"column {name!r} is of type {values.dtype}: give datetimes or ms since 1970")
    return values.astype(np.int64)
