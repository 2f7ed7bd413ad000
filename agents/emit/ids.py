"""Prediction ids for the caller: 16 bytes each, made ahead so that `log` only takes one."""

from __future__ import annotations

import os
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from driftline.agents.emit.errors import BadEvent, cause_of
from driftline.schemas.ids import ID_BYTES, RANDOM_BYTES_PER_ID, id_of, new_ids

POOL: Final = 8_192
AHEAD: Final = 256
MAX_OWN_ID_CHARS: Final = 1_000


def make(rows: int, now_ms: int) -> bytes:
    """Make `rows` new UUIDv7, 16 bytes each, one after another."""
    return new_ids(rows, max(0, min(now_ms, (1 << 48) - 1)), os.urandom(RANDOM_BYTES_PER_ID * rows))


def refill(pool: deque[bytes], now_ms: int, rows: int = AHEAD) -> None:
    """Add ids to a pool; appending is atomic, so callers may take from it meanwhile."""
    data = make(rows, now_ms)
    pool.extend([data[at : at + ID_BYTES] for at in range(0, len(data), ID_BYTES)])


def stock(pool: deque[bytes], now_ms: int, most: int = POOL // AHEAD) -> Iterator[None]:
    """Refill a pool until it is full, at most so often, and yield after each time.

    It ends when callers take ids as fast as they are made: no pool is ever filled for them.
    """
    for _ in range(most):
        before = len(pool)
        if before >= POOL:
            return
        refill(pool, now_ms)
        yield
        if len(pool) <= before:
            return


def taken(pool: deque[bytes], clock: Callable[[], float]) -> bytes:
    """Take an id from a pool; an empty one is filled by the caller, which pays for some ids at once."""
    while True:
        try:
            return pool.popleft()
        except IndexError:
            refill(pool, int(clock() * 1000))


def given(value: object) -> tuple[bytes, str | None]:
    """Turn an id that the caller gave into 16 bytes and the original to keep beside, None when there is none.

    `bytes` (as `log` returns them) and `uuid.UUID` are an id already; a `str` or an `int` is the application's own
    and is hashed. Raises BadEvent for anything else.
    """
    if isinstance(value, bytes):
        if len(value) != ID_BYTES:
            raise BadEvent(f"the id {value[:20]!r} has {len(value)} bytes; an id that log() returned has 16")
        return value, None
    if isinstance(value, uuid.UUID):
        return value.bytes, None
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        value = str(int(value))
    if not isinstance(value, str):
        raise BadEvent(
            f"the id is of type {type(value).__name__}; give bytes, a UUID, a string or an integer"
        )
    if not value or len(value) > MAX_OWN_ID_CHARS:
        raise BadEvent(f"the id has {len(value):,} characters; 1 to {MAX_OWN_ID_CHARS:,} are allowed")
    try:
        return id_of(value), str.__str__(value)
    except UnicodeEncodeError:
        raise BadEvent(f"the id {value[:20]!r} is no valid text; it holds half of a surrogate pair") from None


@dataclass(frozen=True, slots=True)
class Given:
    """Ids of many rows that the caller gave: uint8 (rows, 16), and the originals when there are any.

    `bad` (rows,) names the rows whose id can be none, None when there are none; they have a new id. `cause` is of the
    first of them.
    """

    ids: NDArray[np.uint8]
    originals: list[str | None] | None = None
    bad: NDArray[np.bool_] | None = None
    cause: str = ""


def given_many(values: object, rows: int, now_ms: Callable[[], int]) -> Given:
    """Ids of many rows: a uint8 array (rows, 16), as `log_many` returns it, or a sequence of what `given` takes.

    Raises BadEvent when the values are not one a row.
    """
    if isinstance(values, np.ndarray) and values.dtype == np.uint8:
        if values.shape != (rows, ID_BYTES):
            raise BadEvent(f"ids have the shape {values.shape}; {rows} rows need ({rows}, 16)")
        return Given(np.array(values))
    items: Sequence[Any] = values.tolist() if isinstance(values, np.ndarray) else values  # type: ignore[assignment]
    if isinstance(items, str | bytes) or not hasattr(items, "__len__") or len(items) != rows:
        raise BadEvent(f"ids are no list of {rows} values, one a row")
    cause, bad = "", None
    try:
        pairs = [given(item) for item in items]
    except Exception:  # noqa: BLE001 - whatever a value does, it costs its row alone
        pairs, bad, cause = _given_one_by_one(items, now_ms())
    originals = [original for _, original in pairs]
    data = np.frombuffer(b"".join(one for one, _ in pairs), np.uint8).reshape(rows, ID_BYTES)
    return Given(data, originals if any(one is not None for one in originals) else None, bad, cause)


def _given_one_by_one(
    items: Sequence[Any], now_ms: int
) -> tuple[list[tuple[bytes, str | None]], NDArray[np.bool_], str]:
    pairs: list[tuple[bytes, str | None]] = []
    bad, cause = np.zeros(len(items), np.bool_), ""
    for row, item in enumerate(items):
        try:
            pairs.append(given(item))
        except Exception as error:  # noqa: BLE001 - as above
            pairs.append((make(1, now_ms), None))
            bad[row] = True
            cause = cause or cause_of(error)
    return pairs, bad, cause
