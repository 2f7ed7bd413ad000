"""Split figures: drift within the values of segments, for those whom a figure over all rows does not speak of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.streams.stats.verdict import shared_level
from driftline.streams.windows.baselines import psi_figures
from driftline.streams.windows.reference import JUDGED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.schemas.window import Figure
    from driftline.streams.stats.verdict import Rule
    from driftline.streams.windows.counters import Counters
    from driftline.streams.windows.splits import Split

WHY_IID: Final = "how windows of one value of a segment vary is not known"


def split_figures(
    splits: tuple[Split, ...], counters: Counters, rule: Rule, held_back: Mapping[str, str]
) -> list[Figure]:
    """Give PSI, with its verdict, of each column that is split and each value that the window has rows of.

    Args:
        splits: what is split.
        counters: the window, which has closed.
        rule: floors, minimum count, and the level that all pairs of a column and a value share.
        held_back: kind of figure -> why no figure of that kind may have a verdict.

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
            figures.append(figure)
    return figures
