"""A candidate's scores from a table: ids, and scores or classes, told apart as in every other table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from driftline.deploy.tables.errors import TableError
from driftline.deploy.tables.plan import plan_table
from driftline.deploy.tables.values import category, numbers, texts
from driftline.schemas.ids import ID_BYTES, id_of
from driftline.streams.advice.pairs import Said
from driftline.streams.join.keys import is_repeat, keys_of, sorted_order

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from driftline.deploy.tables.plan import Planned

ROWS_MAX: Final = 20_000_000
"""Rows of a candidate's table: 16 bytes of id and 8 a score each are held in memory."""
_MADE: Final = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")


def read_candidate(path: Path, mapping: Path | None = None) -> tuple[Said, Said | None]:
    """Read a candidate's answers.

    Args:
        path: a parquet, CSV or Arrow file with a column of prediction ids and one of scores or classes.
        mapping: a mapping file, as `driftline emit --columns` takes it.

    Returns:
        The answers, by ids taken for the application's own; and by ids taken for those that driftline made, when every
        one of them is written like such. Of an id that comes twice the first row counts.

    Raises:
        TableError: the table has no ids, no scores, too many rows, or cannot be read.
    """
    planned = plan_table(path, mapping)
    identifier = planned.plan.one("id")
    answers = [*planned.plan.of("score"), *planned.plan.of("predicted")]
    if identifier is None:
        raise TableError(
            f"{path.name} has no column of prediction ids: call it prediction_id, or name one in a mapping, as in "
            '[columns] booking = "id"'
        )
    if not answers:
        raise TableError(
            f"{path.name} has no score and no predicted class: call it score, or name one in a mapping, as in "
            '[columns] p = "score"'
        )
    if planned.rows > ROWS_MAX:
        raise TableError(
            f"{path.name} has {planned.rows:,} rows, at most {ROWS_MAX:,} can be compared: take the newest months"
        )
    table = _read(planned, [identifier.name, *(one.name for one in answers)])
    ids = texts(table[identifier.name].combine_chunks()).to_pylist()
    if None in ids:
        raise TableError(
            f"column {identifier.name!r} of {path.name} has a row without an id: leave such rows out"
        )
    said = _said(planned, table, _own(ids))
    made = all(_MADE.fullmatch(one) for one in ids)
    return said, _said(planned, table, _made(ids)) if made else None


def _read(planned: Planned, names: list[str]) -> pa.Table:
    return pa.Table.from_batches(list(planned.source.batches(names)))


def _said(planned: Planned, table: pa.Table, ids: np.ndarray) -> Said:
    order = sorted_order(*keys_of(ids))
    first = order[~is_repeat(*keys_of(ids[order]))]
    scores = {
        one.name: numbers(table[one.name].combine_chunks())[0][first] for one in planned.plan.of("score")
    }
    predicted = planned.plan.one("predicted")
    levels: tuple[str, ...] = ()
    codes = np.full(len(first), -1, np.int64)
    if predicted is not None:
        column = category(table[predicted.name].combine_chunks(), predicted.name)
        levels, codes = column.levels, column.codes[first].astype(np.int64)
    return Said(ids[first], np.zeros(len(first), np.int64), scores, levels, codes)


def _own(ids: Sequence[str]) -> np.ndarray:
    return _array([id_of(one) for one in ids])


def _made(ids: Sequence[str]) -> np.ndarray:
    return _array([bytes.fromhex(one.replace("-", "")) for one in ids])


def _array(ids: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(ids), np.uint8).reshape(-1, ID_BYTES)
