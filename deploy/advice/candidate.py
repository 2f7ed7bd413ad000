"""A candidate's answers from a table: ids, and scores or classes as the live model has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from driftline.deploy.advice.candidate_columns import Columns, columns_of
from driftline.deploy.advice.candidate_values import check_classes, check_ids, check_scores
from driftline.deploy.tables.errors import TableError
from driftline.deploy.tables.source import open_table
from driftline.deploy.tables.values import category, numbers, texts
from driftline.schemas.ids import ID_BYTES, id_of
from driftline.streams.advice.pairs import Said, matches

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from driftline.streams.join.scheme import Scheme

ROWS_MAX: Final = 20_000_000
"""Rows of a candidate's table: 16 bytes of id and 8 a score each are held in memory."""
_MADE: Final = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """What a table says.

    Attributes:
        name: of the file.
        first_id: that of its first row, as it was read.
        own: the answers, by ids taken for the application's own.
        made: the answers, by ids taken for those that driftline made; None unless every one is written like such.
    """

    name: str
    first_id: str
    own: Said
    made: Said | None

    def known_to(self, live: Said) -> Said:
        """Give the answers by the ids that more of the live model's predictions are known by."""
        if self.made is None or matches(live, self.own) >= matches(live, self.made):
            return self.own
        return self.made


def read_candidate(path: Path, mapping: Path | None, scheme: Scheme, *, are_shares: bool) -> Candidate:
    """Read a candidate's answers.

    Args:
        path: a parquet, CSV or Arrow file with a column of prediction ids and one of scores or classes.
        mapping: a mapping file, as `driftline emit --columns` takes it.
        scheme: what the live model's answers mean.
        are_shares: whether the live model's scores lie within 0 and 1, as the candidate's then must.

    Raises:
        TableError: the table cannot be read, lacks a column, has too many rows, an id twice, a row without an id or an
            answer, or an answer that the live model cannot give.
    """
    source = open_table(path)
    columns = columns_of(source, mapping, scheme)
    if columns.rows > ROWS_MAX:
        raise TableError(
            f"{path.name} has {columns.rows:,} rows, at most {ROWS_MAX:,} can be compared: take the newest months"
        )
    table = pa.Table.from_batches(list(source.batches(columns.names)))
    ids = texts(table[columns.id].combine_chunks()).to_pylist()
    check_ids(path.name, columns.id, ids, _own(ids))
    said = _said(columns, table, _own(ids))
    check_scores(path.name, said, ids, are_shares=are_shares)
    check_classes(path.name, columns.predicted, said, ids, scheme)
    made = None
    if all(_MADE.fullmatch(one) for one in ids):
        check_ids(path.name, columns.id, ids, _made(ids))
        made = _said(columns, table, _made(ids))
    return Candidate(path.name, ids[0], said, made)


def _said(columns: Columns, table: pa.Table, ids: np.ndarray) -> Said:
    scores = {name: numbers(table[name].combine_chunks())[0] for name in columns.scores}
    levels: tuple[str, ...] = ()
    codes = np.full(len(ids), -1, np.int64)
    if columns.predicted is not None:
        column = category(table[columns.predicted].combine_chunks(), columns.predicted)
        levels, codes = column.levels, column.codes.astype(np.int64)
    return Said(ids, np.zeros(len(ids), np.int64), scores, levels, codes)


def _own(ids: Sequence[str | None]) -> np.ndarray:
    return _array([id_of(one or "") for one in ids])


def _made(ids: Sequence[str]) -> np.ndarray:
    return _array([bytes.fromhex(one.replace("-", "")) for one in ids])


def _array(ids: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(ids), np.uint8).reshape(-1, ID_BYTES)
