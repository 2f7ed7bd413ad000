"""Slots: in which of its slots each of two versions is put beside the other: where they answered the same rows."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.streams.clickhouse.version_reads import Answered, Shared

Pair = tuple["Answered", "Answered"]


def pairs_of(found: Sequence[Answered], versions: tuple[str, str]) -> list[Pair]:
    """Give each slot of the first version with each of the second, those most likely to share rows first.

    Champion beside champion comes last, for one answers after the other. Of the rest the slot with the most rows comes
    first, the second version's before the first's. Empty where a version did not answer.
    """
    first, second = ([one for one in found if one.version == version] for version in versions)
    return sorted(product(first, second), key=lambda pair: (_in_turn(pair), -pair[1].rows, -pair[0].rows))


def chosen(pairs: Sequence[Pair], shared: Sequence[Shared]) -> Pair:
    """Give the pair that shares the most rows; of none that does, the first.

    Args:
        pairs: what `pairs_of` gives, at least one.
        shared: rows by slots; pairs that share none may be left out.
    """
    rows = {(one.first, one.second): one.rows for one in shared}
    return max(
        pairs, key=lambda pair: (rows.get(_slots(pair), 0) > 0, not _in_turn(pair), rows.get(_slots(pair), 0))
    )


def _slots(pair: Pair) -> tuple[str, str]:
    return pair[0].slot, pair[1].slot


def _in_turn(pair: Pair) -> bool:
    """Whether both are the champion, one after the other."""
    return _slots(pair) == ("champion", "champion")
