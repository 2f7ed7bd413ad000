"""Many predictions at once: columns of the caller, checked, and cut into chunks that are yet to be copied."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from driftline.agents.emit import ids
from driftline.agents.emit.chunk import Chunk
from driftline.agents.emit.errors import BadEvent
from driftline.agents.emit.kinds import Raw
from driftline.agents.emit.options import Options
from driftline.agents.emit.shapes import check_names
from driftline.agents.emit.values import NO_TIME, times_of
from driftline.schemas.ids import ID_BYTES
from driftline.schemas.scalars import seconds_in

MOST_REFUSED: Final = 1 << 24
"""Rows that something refused is taken to have at most, whatever its length says: each of them gets an id."""
_MATRIX: Final = 2
_FLOAT_BYTES: Final = (4, 8)
_AS_THEY_ARE: Final = frozenset(np.dtype(code) for code in "fdbhilqBHILQ")


class Facts(TypedDict, total=False):
    """What `log_many` takes beside the features and the score: one value a row, or as said."""

    predicted: Any
    latency_ms: Any
    status: Any
    """One value a row, or one string for all rows."""
    segments: Mapping[str, Any]
    at: Any
    """Times as `log` takes them, one a row or one for all; now when left out."""
    ids: Any
    """The application's own ids, or uint8 (rows, 16); made by the emitter when left out."""


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of the caller that have not been copied yet, of `width` columns.

    `cut(start, stop)` gives some, whose arrays may be the caller's.
    """

    rows: int
    width: int
    cut: Callable[[int, int], Chunk]


def source_of(
    columns: Any,
    names: Sequence[str] | None,
    score: Any,
    facts: Facts,
    options: Options,
    now_ms: Callable[[], int],
) -> Source:
    """Check the columns that `log_many` was given; raises BadEvent with the cause."""
    features = _features(columns, names or options.features)
    rows = len(next(iter(features.values())))
    scores = _named(
        "scores", {"score": score} if score is not None and not isinstance(score, Mapping) else score
    )
    segments = _named("segments", facts.get("segments"))
    singles = _singles(facts, rows)
    for what, group in (("feature", features), ("score", scores), ("segment", segments), ("fact", singles)):
        check_names(what, tuple(group))
        for name, column in group.items():
            if type(column) is not np.ndarray or column.shape != (rows,):
                _check_column(name, column, rows)
    dropped = [name for name, treatment in options.treatments.items() if treatment == "drop"]
    kept = {name: column for name, column in features.items() if name not in dropped} if dropped else features
    if not kept:
        raise BadEvent("there are no features but dropped ones; give at least one that is kept")
    at, given = facts.get("at"), facts.get("ids")
    times, fault = (None, "") if at is None else times_of(_plain(at), rows)
    known = None if given is None else ids.given_many(_plain(given), rows, now_ms)
    times, fault = without_bad(known, times, fault, now_ms)

    def cut(start: int, stop: int) -> Chunk:
        count = stop - start

        def part(columns: Mapping[str, Any]) -> dict[str, Raw]:
            return {name: seen(column, start, stop) for name, column in columns.items()}

        chunk = Chunk(
            rows=count,
            ids=fresh_ids(count, now_ms()) if known is None else known.ids[start:stop],
            times_ms=np.full(count, now_ms(), np.int64) if times is None else times[start:stop],
            features=part(kept),
            originals=None if known is None or known.originals is None else known.originals[start:stop],
            scores=part(scores),
            segments=part(segments),
            is_timed=times is not None,
            fault=fault,
        )
        for name, column in part(singles).items():
            setattr(chunk, name, column)
        return chunk

    return Source(rows, len(kept) + len(scores) + len(segments) + len(singles), cut)


def without_bad(
    known: ids.Given | None, times: NDArray[np.int64] | None, fault: str, now_ms: Callable[[], int]
) -> tuple[NDArray[np.int64] | None, str]:
    """Times of rows, and their fault, when a row whose id can be none has no time either: it is refused alone."""
    if known is None or known.bad is None:
        return times, fault
    times = np.full(len(known.ids), now_ms(), np.int64) if times is None else times
    times[known.bad] = NO_TIME
    return times, fault or known.cause


def fresh_ids(rows: int, now_ms: int) -> NDArray[np.uint8]:
    """New ids as uint8 (rows, 16)."""
    return np.frombuffer(ids.make(rows, now_ms), np.uint8).reshape(rows, ID_BYTES)


def seen(column: Any, start: int, stop: int) -> Raw:
    """Rows of a column from start to before stop: an array of numbers, mostly the caller's own, or a list of values."""
    if type(column) is np.ndarray and column.ndim == 1 and column.dtype in _AS_THEY_ARE:
        return Raw(column[start:stop])
    return _listed(column[start:stop])


def _listed(column: Any) -> Raw:
    if not isinstance(column, np.ndarray) or column.ndim != 1:
        return Raw(column if type(column) is list else list(column))
    if isinstance(column, np.ma.MaskedArray):
        return Raw(_listed(column.filled()).values, np.ma.getmaskarray(column).copy())
    dtype = column.dtype
    kind = dtype.kind
    if kind in "fiu":
        narrow = kind == "f" and dtype.itemsize not in _FLOAT_BYTES
        return Raw(column.astype(np.float64 if narrow else dtype.newbyteorder("="), copy=False))
    if kind in "Mm":
        nulls = np.isnat(column)
        return Raw(seconds_in(column), nulls if nulls.any() else None)
    return Raw(column.tolist())


def _features(columns: Any, names: Sequence[str]) -> dict[str, Any]:
    if isinstance(columns, Mapping):
        if not columns:
            raise BadEvent("there are no features; give at least one column")
        features = dict(columns)
        first = next(iter(features.values()))
        if isinstance(first, str | bytes) or not hasattr(first, "__len__"):
            raise BadEvent(f"the columns hold {type(first).__name__}; give an array or a list a column")
        return features
    if not isinstance(columns, np.ndarray) or columns.ndim != _MATRIX:
        kind = type(columns).__name__
        raise BadEvent(f"the columns are of type {kind}; give a dict of arrays, or a 2-d array and names")
    if columns.shape[1] != len(names) or not names:
        raise BadEvent(
            f"the array has {columns.shape[1]} columns and there are {len(names)} names; give as many"
        )
    return {name: columns[:, at] for at, name in enumerate(names)}


def _named(what: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping | None):
        raise BadEvent(f"{what} are of type {type(value).__name__}; give a dict of names and columns")
    return dict(value or {})


def _singles(facts: Facts, rows: int) -> dict[str, Any]:
    """Predicted class, latency and status, as far as they are given."""
    given = {
        "predicted": facts.get("predicted"),
        "latency_ms": facts.get("latency_ms"),
        "status": facts.get("status"),
    }
    if isinstance(given["status"], str):
        given["status"] = [given["status"]] * rows
    return {name: column for name, column in given.items() if column is not None}


def _check_column(name: str, column: Any, rows: int) -> None:
    if isinstance(column, str | bytes) or not hasattr(column, "__len__"):
        raise BadEvent(f"the column {name!r} is of type {type(column).__name__}; give an array or a list")
    if len(column) != rows:
        raise BadEvent(
            f"the column {name!r} has {len(column):,} rows and the first {rows:,}; all must have as many"
        )


def _plain(values: Any) -> Any:
    """Columns of pandas and polars as arrays, anything else as it is."""
    return values.to_numpy() if hasattr(values, "to_numpy") and not isinstance(values, np.ndarray) else values


def rows_in(columns: Any) -> int:
    """A guess at the number of rows of what was refused, 1 to `MOST_REFUSED`: it is counted in the books."""
    try:
        if isinstance(columns, Mapping) and columns:
            columns = next(iter(columns.values()))
        return min(max(1, len(columns)), MOST_REFUSED)
    except KeyboardInterrupt:  # the caller's own
        raise
    except BaseException:  # noqa: BLE001 - whatever the columns do when they are asked, the application goes on
        return 1


Columns = Mapping[str, ArrayLike] | NDArray[Any]
