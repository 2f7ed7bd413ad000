"""What the values of a candidate's table cannot be: each fault one sentence that names a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.deploy.tables.errors import SHOWN, TableError
from driftline.schemas.number_text import number_text
from driftline.streams.join.keys import is_repeat, keys_of, sorted_order
from driftline.streams.join.scheme import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from driftline.streams.advice.pairs import Said
    from driftline.streams.join.scheme import Scheme


def check_ids(table: str, column: str, ids: Sequence[str | None], keys: NDArray[np.uint8]) -> None:
    """Refuse rows without an id, and an id that two rows have.

    Args:
        table: name of the file.
        column: the ids' column.
        ids: as they were read.
        keys: uint8 (n, 16), what each stands for.

    Raises:
        TableError: naming the first such row.
    """
    where = f"column {column!r} of {table}"
    empty = [at for at, one in enumerate(ids, 1) if not one]
    if empty:
        more = _more(len(empty), "rows")
        raise TableError(f"{where} has no id in row {empty[0]:,}{more}: leave such rows out")
    order = sorted_order(*keys_of(keys))
    again = order[is_repeat(*keys_of(keys[order]))]
    if len(again):
        first = int(again.min())
        more = _more(len(again), "repeated rows")
        raise TableError(f"{where} has the id {ids[first]!r} twice{more}: keep one row of each id")


def check_scores(table: str, said: Said, ids: Sequence[str], *, are_shares: bool) -> None:
    """Refuse scores that are none: NaN, infinite, or no shares where the live model's are.

    Raises:
        TableError: naming column, value and the first such id.
    """
    for name, values in said.scores.items():
        where = f"column {name!r} of {table}"
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            what = "no number" if np.isnan(values[wrong[0]]) else repr(float(values[wrong[0]]))
            raise TableError(f"{where} has {what} for {_which(ids, wrong)}: leave rows without an answer out")
        outside = np.flatnonzero((values < 0) | (values > 1)) if are_shares else wrong
        if len(outside):
            raise TableError(
                f"{where} has {number_text(float(values[outside[0]]))} for {_which(ids, outside)}, and the live "
                "model's scores are probabilities: give numbers from 0 to 1"
            )


def check_classes(table: str, column: str | None, said: Said, ids: Sequence[str], scheme: Scheme) -> None:
    """Refuse classes that the live model does not know, and rows that answer nothing.

    Raises:
        TableError: naming the class, or the first such id.
    """
    if column is None:
        return
    where = f"column {column!r} of {table}"
    for level in said.levels:
        if scheme.index_of(level) == UNKNOWN:
            known = ", ".join(scheme.classes[:SHOWN])
            raise TableError(
                f"{where} has the class {level[:40]!r}, which the live model does not know: write it as one of {known}"
            )
    empty = np.flatnonzero(said.codes < 0)
    if len(empty) and not said.scores:
        raise TableError(f"{where} has no class for {_which(ids, empty)}: leave rows without an answer out")


def _which(ids: Sequence[str], rows: NDArray[np.intp]) -> str:
    return f"id {ids[rows[0]]!r}{_more(len(rows), 'ids')}"


def _more(count: int, what: str) -> str:
    return f" and {count - 1:,} more {what}" if count > 1 else ""
