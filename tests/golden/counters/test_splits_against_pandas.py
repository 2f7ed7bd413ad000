"""Counts by segment values, of the reference and of a window, equal a pandas groupby of the raw rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from segmented import CARRIERS, reference, rows

from driftline.schemas.columns import PredictionColumns
from driftline.schemas.deployment_state import defaults
from driftline.schemas.profile import Profile
from driftline.streams.stats.verdict import Rule
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.layout import Layout
from driftline.streams.windows.split_figures import split_figures
from driftline.streams.windows.splits import splits_of

CURRENT = 30_000


def frame(cols: PredictionColumns) -> pd.DataFrame:
    """Return the rows of a batch as a table, values as they travel."""
    found = {}
    for block in [*cols.features, *cols.scores]:
        travelled = block.values.astype(np.float32)  # noqa: PD011 - no frame
        found |= dict(zip(block.names, travelled, strict=True))
    for column in [*cols.categories, *cols.segments]:
        found[column.name] = np.array([*column.levels, None], object)[column.codes]
    return pd.DataFrame(found)


def grouped(table: pd.DataFrame, profile: Profile, segment: str, name: str, role: str) -> pd.DataFrame:
    """Count by groupby: values of the segment, other last, by bins."""
    column, levels = profile.column(name, role), profile.column(segment, "segment").levels
    values = table[segment].where(table[segment].isin(levels) | table[segment].isna(), "other")
    if column.kind == "numeric":
        inner = column.edges[np.flatnonzero(np.diff(column.decile_of_bin))].astype(np.float32)
        bins = pd.cut(table[name], [-np.inf, *inner, np.inf], labels=False)
        width = len(inner) + 1
    else:
        bins = table[name].map({level: at for at, level in enumerate(column.levels)})
        bins = bins.where(bins.notna() | table[name].isna(), len(column.levels))
        width = len(column.levels) + 2
    counts = pd.crosstab(values, bins)
    return counts.reindex(index=[*levels, "other"], columns=range(width), fill_value=0)


def test_counts_and_psi_equal_a_groupby() -> None:
    """Reference and window, every feature and the score by both segments: counts ==, PSI to 1e-12."""
    profile, known = reference(), frame(rows(1, 20_000))
    current = rows(2, CURRENT, moved="UA", by=0.8, carriers=(*CARRIERS, "ZZ", None))
    table, layout = frame(current), Layout(profile)
    counters, splits = Counters(layout), splits_of(layout, defaults("churn"))
    for part in np.array_split(np.random.default_rng(0).permutation(CURRENT), 7):
        counters.fold(current, part)
        counters.fold_splits(splits, current, part)
    figures = {(one.feature, one.segment): one for one in split_figures(splits, counters, Rule(), {}, {})}
    seen = 0
    for split in profile.splits:
        pair = (layout.column(split.segment, "segment").index, layout.column(split.column, split.role).index)
        before = grouped(known, profile, split.segment, split.column, split.role)
        after = grouped(table, profile, split.segment, split.column, split.role)
        assert np.array_equal(split.counts, before.to_numpy())
        assert np.array_equal(counters.splits[pair], after.to_numpy())
        for value in profile.column(split.segment, "segment").levels:
            p, q = (np.maximum(one.loc[value] / one.loc[value].sum(), 1e-4) for one in (after, before))
            figure = figures[split.column, f"{split.segment}={value}"]
            assert figure.value == pytest.approx(float(((p - q) * np.log(p / q)).sum()), abs=1e-12)
            assert (figure.rows, figure.reference_rows) == (after.loc[value].sum(), before.loc[value].sum())
            seen += 1
    assert seen == len(figures) == 5 * (4 + 2)
