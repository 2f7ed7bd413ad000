"""The plan that a commit carries, and how a worker reads it back."""

from __future__ import annotations

import pytest

from driftline.streams.archive.errors import TopicError
from driftline.streams.archive.place import Opening, Place, opening, plan_text, position_text
from driftline.streams.archive.takeover import lost

PLACE = Place("predictions", "life-1", 3)


def test_a_plan_is_read_back() -> None:
    """The bounds that were committed are the bounds the next owner stores."""
    assert opening(PLACE, 7, plan_text(PLACE, 41)) == Opening(7, 41)


def test_a_position_is_no_plan() -> None:
    """A position without a plan begins there and owes nothing."""
    assert opening(PLACE, 7, position_text(PLACE)) == Opening(7, None)


@pytest.mark.parametrize(
    "metadata", [None, "", "moved by hand", "1", "1 life-1 x", "1 life-1 6", "2 life-1 41"]
)
def test_what_another_wrote_is_a_position(metadata: str | None) -> None:
    """Offsets set by hand, by another tool or by a later release are a position; nothing is invented from them."""
    assert opening(PLACE, 7, metadata).planned_last is None


def test_a_topic_made_anew_begins_at_its_beginning() -> None:
    """Offsets of a deleted topic mean nothing in the one that bears its name now."""
    assert opening(Place("predictions", "life-2", 3), 7, plan_text(PLACE, 41)) == Opening(None, None)


def test_a_group_that_never_committed_begins_at_the_beginning() -> None:
    """The client gives a negative offset where there is none."""
    assert opening(PLACE, -1001, "") == Opening(None, None)


def test_retention_that_passed_the_position_is_counted() -> None:
    """Offsets 10 to 24 are gone when the log begins at 25 and 10 was to come next."""
    assert lost(PLACE, 10, 25, 40) == 15
    assert lost(PLACE, 30, 25, 40) == 0


def test_a_log_shorter_than_what_was_read_stops_the_worker() -> None:
    """Going on would take new records for stored ones."""
    with pytest.raises(
        TopicError, match=r"predictions\[3\] ends at offset 40, but offset 41 was read before"
    ):
        lost(PLACE, 41, 0, 40)
