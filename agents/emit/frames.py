"""Data frames and Arrow tables, told by what they can do and never imported here: whole columns, slice by slice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypedDict

import numpy as np
from numpy.typing import NDArray

from driftline.agents.emit import ids
from driftline.agents.emit.bulk import Source, fresh_ids, seen, without_bad
from driftline.agents.emit.chunk import Chunk
from driftline.agents.emit.errors import BadEvent
from driftline.agents.emit.kinds import Raw
from driftline.agents.emit.options import Options
from driftline.agents.emit.shapes import check_names
from driftline.agents.emit.values import NO_TIME, times_of
from driftline.schemas.scalars import text_of

_ARROW_NUMBERS: Final = ("int", "uint", "float", "double", "halffloat")


class Roles(TypedDict, total=False):
    """Which columns of a frame are what; every other column is a feature unless `features` lists them."""

    features: Sequence[str]
    score: str | Sequence[str]
    predicted: str
    latency_ms: str
    status: str
    segments: Sequence[str]
    at: str
    id: str


def source_of(frame: Any, roles: Roles, options: Options, now_ms: Callable[[], int]) -> Source:
    """Check a frame and the roles of its columns; raises BadEvent with the cause."""
    names, rows, cut = _opened(frame)
    score = roles.get("score", ())
    scores = [score] if isinstance(score, str) else list(score)
    segments = list(roles.get("segments", ()))
    taken = {str(roles[key]) for key in ("predicted", "latency_ms", "status", "at", "id") if key in roles}
    taken.update(scores)
    features = list(roles.get("features") or [name for name in names if name not in taken])
    missing = [name for name in [*features, *segments, *taken] if name not in names]
    if missing:
        raise BadEvent(f"the frame has no column {missing[0]!r}; it has {', '.join(map(str, names[:20]))}")
    features = [name for name in features if options.treatments.get(name) != "drop"]
    check_names("feature", tuple(features))

    def chunk(start: int, stop: int) -> Chunk:
        column = cut(start, stop)
        count = stop - start
        at, key = roles.get("at"), roles.get("id")
        times, fault = (None, "") if at is None else _times(column(at), count)
        known = None if key is None else ids.given_many(_listed(column(key)), count, now_ms)
        times, fault = without_bad(known, times, fault, now_ms)
        out = Chunk(
            rows=count,
            ids=fresh_ids(count, now_ms()) if known is None else known.ids,
            times_ms=np.full(count, now_ms(), np.int64) if times is None else times,
            features={name: _owned(column(name)) for name in features},
            originals=None if known is None else known.originals,
            scores={name: _owned(column(name)) for name in scores},
            segments={name: _owned(column(name)) for name in segments},
            is_timed=times is not None,
            fault=fault,
        )
        for role in ("predicted", "latency_ms", "status"):
            if role in roles:
                setattr(out, role, _owned(column(str(roles[role]))))
        return out

    width = len(features) + len(scores) + len(segments) + len(roles)
    return Source(rows, width, chunk)


def _opened(frame: Any) -> tuple[list[str], int, Callable[[int, int], Callable[[str], Raw]]]:
    """Names, number of rows, and what gives the columns of a slice."""
    library = type(frame).__module__.partition(".")[0]
    if library == "pandas" and hasattr(frame, "iloc"):
        return list(frame.columns), len(frame), lambda start, stop: _pandas(frame.iloc[start:stop])
    if library == "polars" and hasattr(frame, "get_column"):
        return list(frame.columns), frame.height, lambda start, stop: _polars(frame[start:stop])
    if library == "pyarrow" and hasattr(frame, "schema") and hasattr(frame, "column"):
        names = list(frame.schema.names)
        return names, frame.num_rows, lambda start, stop: _arrow(frame.slice(start, stop - start))
    if isinstance(frame, Mapping):
        raise BadEvent("log_frame takes a frame or a table; for a dict of columns use log_many")
    raise BadEvent(
        f"log_frame takes a pandas or polars DataFrame or an Arrow table, not {type(frame).__name__}"
    )


def _pandas(frame: Any) -> Callable[[str], Raw]:
    def column(name: str) -> Raw:
        series = frame[name]
        dtype = series.dtype
        nulls = series.isna().to_numpy()
        if hasattr(series, "cat"):
            return _coded([_level(value) for value in series.cat.categories], series.cat.codes.to_numpy())
        if isinstance(dtype, np.dtype) and dtype.kind in "fiuMm":
            return Raw(series.to_numpy().copy())
        if getattr(dtype, "kind", "O") in "iu":
            whole = series.to_numpy(dtype=f"{dtype.kind}8", na_value=0)
            return Raw(whole, nulls if nulls.any() else None)
        if getattr(dtype, "kind", "O") == "f":
            return Raw(series.to_numpy(dtype=np.float64, na_value=np.nan), nulls if nulls.any() else None)
        if getattr(dtype, "kind", "O") == "M":
            return Raw(series.to_numpy(dtype="datetime64[us]"))  # in UTC, where there is a zone
        values = series.to_numpy(dtype=object).tolist()
        return Raw([None if null else value for value, null in zip(values, nulls, strict=True)])

    return column


def _polars(frame: Any) -> Callable[[str], Raw]:
    def column(name: str) -> Raw:
        series = frame.get_column(name)
        if series.dtype.is_numeric() and not series.dtype.is_decimal():
            nulls = series.is_null().to_numpy() if series.null_count() else None
            values = series.fill_null(0).to_numpy() if nulls is not None else series.to_numpy()
            return Raw(np.array(values), nulls)
        if series.dtype.is_temporal() and str(series.dtype).startswith(("Date", "Datetime", "Duration")):
            return Raw(series.to_numpy())
        return Raw(series.to_list())

    return column


def _arrow(table: Any) -> Callable[[str], Raw]:
    def column(name: str) -> Raw:
        array = table.column(name)
        if hasattr(array, "combine_chunks"):
            array = array.combine_chunks()
        kind = str(array.type)
        if kind.startswith("dictionary") and ("values=string" in kind or "values=large_string" in kind):
            return _coded(
                array.dictionary.to_pylist(), array.indices.fill_null(-1).to_numpy(zero_copy_only=False)
            )
        if kind in {"string", "large_string"}:
            coded = array.dictionary_encode()
            return _coded(
                coded.dictionary.to_pylist(), coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
            )
        if kind.startswith(_ARROW_NUMBERS):
            nulls = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
            whole = array.fill_null(0) if nulls is not None else array
            return Raw(np.array(whole.to_numpy(zero_copy_only=False)), nulls)
        if kind.startswith(("timestamp", "date", "duration")):
            return Raw(array.to_numpy(zero_copy_only=False))
        return Raw(array.to_pylist())

    return column


def _level(value: Any) -> str:
    """A category as a level: what is none, as intervals, as it prints."""
    text = text_of(value)
    if text is None:
        text = repr(value) if isinstance(value, str) else str(value)
    return text


def _coded(levels: Sequence[Any], codes: Any) -> Raw:
    """Levels and codes; a null among the levels (Arrow allows one) becomes -1."""
    codes = np.asarray(codes, np.int32).copy()
    texts: dict[str, int] = {}
    table = np.full(len(levels) + 1, -1, np.int32)
    for code, level in enumerate(levels):
        text = None if level is None else text_of(level)
        if text is not None:
            table[code] = texts.setdefault(text, len(texts))
    return Raw(table[codes], None, tuple(texts))


def _listed(column: Raw) -> list[Any]:
    if column.levels is not None:
        return [None if code < 0 else column.levels[code] for code in column.values.tolist()]
    return column.values.tolist() if isinstance(column.values, np.ndarray) else list(column.values)


def _owned(column: Raw) -> Raw:
    """Times and spans become seconds, which are numbers; other arrays numbers of this machine's."""
    if column.levels is not None or not isinstance(column.values, np.ndarray):
        return column
    found = seen(column.values, 0, len(column.values))
    return found if found.nulls is not None else Raw(found.values, column.nulls)


def _times(column: Raw, rows: int) -> tuple[NDArray[np.int64], str]:
    times, fault = times_of(column.values, rows)
    if column.nulls is not None:
        times[column.nulls] = NO_TIME
        fault = fault or "a row has no time; fill it, or leave the row out"
    return times, fault
