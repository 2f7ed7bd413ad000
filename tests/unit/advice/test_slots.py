"""Slots of two versions: those in which they answered the same rows are held against each other."""

from __future__ import annotations

from driftline.deploy.advice.slots import Pair, chosen, pairs_of
from driftline.streams.clickhouse.version_reads import Answered, Shared


def answered(version: str, slot: str, rows: int) -> Answered:
    """What a version answered in a slot."""
    return Answered(version, slot, rows, 0, 1, 0, 0, None)


FOUND = [
    answered("1", "champion", 900),
    answered("1", "shadow", 40),
    answered("2", "champion", 1_000),
    answered("2", "shadow", 300),
    answered("2", "challenger", 20),
]
PAIRS = pairs_of(FOUND, ("1", "2"))


def slots(pair: Pair) -> tuple[str, str]:
    """Of both."""
    return pair[0].slot, pair[1].slot


def test_the_slots_that_share_most_rows_are_chosen() -> None:
    """A version that was promoted answered most as champion, and beside the other one as shadow."""
    shared = [Shared("shadow", "champion", 40), Shared("champion", "shadow", 250)]
    assert slots(chosen(PAIRS, shared)) == ("champion", "shadow")


def test_champion_beside_champion_is_the_last_choice() -> None:
    """An id that both answered in turn was asked again; where nothing else is shared, it is what there is."""
    again = Shared("champion", "champion", 500)
    assert slots(chosen(PAIRS, [again, Shared("champion", "challenger", 20)])) == ("champion", "challenger")
    assert slots(chosen(PAIRS, [again])) == ("champion", "champion")


def test_where_nothing_is_shared_the_largest_slots_beside_a_champion_are_named() -> None:
    """The second version's largest comes first, and never with both as champion unless there is nothing else."""
    assert slots(chosen(PAIRS, [])) == ("shadow", "champion")
    champions = [one for one in FOUND if one.slot == "champion"]
    assert slots(chosen(pairs_of(champions, ("1", "2")), [])) == ("champion", "champion")


def test_a_version_that_answered_nothing_has_no_pair() -> None:
    """Neither as the first nor as the second."""
    assert pairs_of(FOUND, ("1", "3")) == pairs_of(FOUND, ("3", "1")) == []
