"""Split figures: drift within the values of segments, for those whom a figure over all rows does not speak of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.streams.stats.verdict import shared_level
from driftline.streams.windows.baselines import psi_figures
from driftline.streams.windows.judge import held_width
from driftline.streams.windows.reference import JUDGED, block_nulls, reference_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.schemas.profile import Profile
    from driftline.schemas.window import Figure
    from driftline.streams.stats.nulls import Threshold
    from driftline.streams.stats.verdict import Rule
    from driftline.streams.windows.counters import Counters
    from driftline.streams.windows.resolution import Resolution
    from driftline.streams.windows.splits import Split

WHY_IID: Final = "how windows of one value of a segment vary is not known"


def split_figures(
    splits: tuple[Split, ...],
    counters: Counters,
    rule: Rule,
    held_back: Mapping[str, str],
    usual: Mapping[int, Threshold],
) -> list[Figure]:
    """Give PSI, with its verdict, of each column that is split and each value that the window has rows of.

    Args:
        splits: what is split.
        counters: the window, which has closed.
        rule: floors, minimum count, and the level that all pairs of a column and a value share.
        held_back: kind of figure -> why no figure of that kind may have a verdict.
        usual: block null of a column over all rows, by its index. A value's windows vary no less than those of all
            values together, and have chance of their own on top: what does not exceed both together is usual.

    Returns:
        Figures with `segment` set, as `carrier=UA`. A value that the reference never had has none.
    """
    reference = counters.layout.splits
    pairs = [(split, column) for split in splits for column in split.columns]
    known = {
        (split.segment.index, column.index): reference[split.segment.index, column.index]
        for split, column in pairs
    }
    told = sum(int(np.count_nonzero(table.any(axis=1))) for table in known.values())
    level = shared_level(rule.level, told)
    figures: list[Figure] = []
    for split, column in pairs:
        pair = split.segment.index, column.index
        counts = counters.splits.get(pair)
        if counts is None:
            continue
        places = np.flatnonzero(counts.any(axis=1) & known[pair].any(axis=1))
        kind = JUDGED[column.profile.role]
        made = psi_figures(counts[places], known[pair][places].astype(np.int64), level, rule, WHY_IID)
        for place, figure in zip(places.tolist(), made, strict=True):
            figure.kind, figure.feature = kind, column.profile.name
            figure.segment = f"{split.segment.profile.name}={split.value_at(place)}"
            if kind in held_back:
                figure.verdict, figure.reason = "inconclusive", held_back[kind]
            elif column.index in usual:
                _allow(figure, usual[column.index])
            figures.append(figure)
    return figures


def usual_of(
    profile: Profile, counters: Counters, resolution: Resolution, rule: Rule
) -> dict[int, Threshold]:
    """Give the block null of every column that has one, by its index, at the width that the window is held against."""
    reference = reference_of(counters.layout)
    level = shared_level(rule.level, len(reference.columns))
    nulls = block_nulls(profile, counters.layout, held_width(counters, resolution), level)
    pairs = zip(reference.columns, nulls, strict=True)
    return {column.index: null.threshold for column, null in pairs if null.threshold is not None}


def _allow(figure: Figure, usual: Threshold) -> None:
    """Let a figure be as large as what is usual of all rows and chance among these make together."""
    figure.block = usual.value + (figure.null or 0.0)
    figure.level = max(figure.level or 0.0, usual.level)
    if figure.verdict == "warn" and figure.value is not None and figure.value <= figure.block:
        figure.verdict = "ok"
        figure.reason = (
            f"PSI {figure.value:.3g} is within what the reference itself shows over all values in windows this wide, "
            f"and chance among these rows (together up to {figure.block:.3g})."
        )
