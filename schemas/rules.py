"""What holds between the columns of a batch; `wire` checks each column by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from driftline.schemas.names import check_columns, check_deployment, check_label
from driftline.schemas.refusal import Refused

if TYPE_CHECKING:
    from driftline.schemas.shapes import LabelColumns, PredictionColumns


def check_predictions(cols: PredictionColumns) -> None:
    """Names of the batch and of its columns: allowed, and unique within features, scores and segments."""
    check_deployment(cols.deployment)
    check_label("model_version", cols.model_version)
    check_label("slot", cols.slot)
    _check_rows(cols)
    features = [name for block in cols.features for name in block.names]
    check_columns("feature", features + [column.name for column in cols.categories])
    check_columns("score", [name for block in cols.scores for name in block.names])
    if cols.segments:
        check_columns("segment", [column.name for column in cols.segments])
    if cols.counters_only:
        check_columns("counters_only", cols.counters_only)


def check_gaps(cols: PredictionColumns) -> None:
    """Every gap names a column of the batch once, no row is null and wrong, and no value lies under a gap."""
    if not cols.gaps:
        return
    check_columns("gap", [gap.name for gap in cols.gaps])
    # A gap means the feature when a score has the same name.
    columns: dict[str, Any] = {}
    for block in (*cols.scores, *cols.features):
        columns.update(zip(block.names, block.values, strict=True))
    columns.update({column.name: column.codes for column in cols.categories})
    for gap in cols.gaps:
        column = columns.get(gap.name)
        if column is None:
            raise Refused(
                "bad_shape", f"a gap of {gap.name!r}, which is no feature and no score of the batch"
            )
        if gap.nulls is not None and gap.wrong is not None and (gap.nulls & gap.wrong).any():
            raise Refused("bad_shape", f"{gap.name!r} has a row that is both null and wrong")
        for mask in (gap.nulls, gap.wrong):
            if mask is None:
                continue
            under = column[mask]
            if not (np.isnan(under) if under.dtype.kind == "f" else under < 0).all():
                raise Refused("bad_shape", f"{gap.name!r} has a value in a row that is marked null or wrong")


def check_labels(cols: LabelColumns) -> None:
    """Each row has one truth or is withdrawn: never both, never none."""
    check_deployment(cols.deployment)
    _check_rows(cols)
    given = np.zeros(cols.rows, np.int8)
    if cols.numbers is not None:
        given += ~np.isnan(cols.numbers)
    if cols.classes is not None:
        given += cols.classes.codes >= 0
    if cols.withdrawn is not None:
        given += cols.withdrawn
    if (given != 1).any():
        row = int((given != 1).argmax())
        detail = (
            f"label {row} has {int(given[row])} of number, class and withdrawal; it must have exactly one"
        )
        raise Refused("impossible_value", detail)


def _check_rows(cols: PredictionColumns | LabelColumns) -> None:
    """What both kinds of batch carry: the seal, and the application's own ids."""
    if cols.original_ids is not None:
        if len(cols.original_ids) != cols.rows:
            raise Refused("bad_shape", f"{len(cols.original_ids)} original ids for {cols.rows} rows")
        if "" in cols.original_ids:
            raise Refused("impossible_value", f"original id {cols.original_ids.index('')} is empty")
    if cols.identity is None:
        return
    identity = cols.identity
    check_label("instance", identity.instance)
    if identity.epoch < 0 or identity.seq < 0:
        detail = (
            f"epoch {identity.epoch} and seq {identity.seq} of {identity.instance!r}; neither may be negative"
        )
        raise Refused("impossible_value", detail)
