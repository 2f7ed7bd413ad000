"""The truth column of a table as labels: texts and booleans are classes, numbers are numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from driftline.deploy.tables.errors import TableError
from driftline.deploy.tables.guess import is_number
from driftline.deploy.tables.scan import is_text, plain
from driftline.deploy.tables.values import category, numbers
from driftline.schemas.columns import Category, LabelColumns

if TYPE_CHECKING:
    from driftline.deploy.tables.roles import ColumnPlan


def label_columns(column: pa.Array, plan: ColumnPlan, deployment: str, ids: np.ndarray) -> LabelColumns:
    """Give the labels of the rows that have a truth.

    Args:
        column: the truth, n rows; null and NaN are no truth.
        plan: which column that is.
        deployment: name of the deployment.
        ids: uint8 (n, 16), the ids of the rows.

    Raises:
        TableError: values of this type are no truth.
    """
    values = plain(column)
    classes: Category | None = None
    truth: np.ndarray | None = None
    if pa.types.is_boolean(values.type) or is_text(values.type):
        found = category(values, "class")
        rows = np.flatnonzero(found.codes >= 0)
        classes = Category("class", found.levels, found.codes[rows])
    elif is_number(values.type):
        held, _ = numbers(values)
        rows = np.flatnonzero(~np.isnan(held))
        truth = held[rows]
    else:
        raise TableError(
            f"column {plan.name!r} is the truth and holds {values.type}: give a class (text, bool) or a number, or map "
            "it to ignore"
        )
    return LabelColumns(
        deployment=deployment,
        rows=len(rows),
        identity=None,
        ids=ids[rows],
        original_ids=None,
        known_at_ms=np.zeros(len(rows), np.int64),
        numbers=truth,
        classes=classes,
    )
