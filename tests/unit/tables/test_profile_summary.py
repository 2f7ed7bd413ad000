"""What a person is told of a profile: also what of it is not told apart."""

from __future__ import annotations

import io

from counting import batch, profile_of
from rich.console import Console

from driftline.deploy.tables.summary import profile_view
from driftline.schemas.profile import Profile


def said(profile: Profile) -> str:
    """Return the view as text on lines without end."""
    out = io.StringIO()
    Console(file=out, width=400).print(profile_view(profile))
    return out.getvalue()


def test_values_of_a_segment_past_those_told_apart_are_counted() -> None:
    """A segment of 20,100 values keeps 32, and says that the rest stand together."""
    users = [f"user {at}" for at in range(20_100)]
    text = said(profile_of(batch({"x": range(20_100)}, segments={"user": users}), provenance="none"))
    assert (
        "Segment 'user' has more than 20,000 values beside its 32 most frequent: they stand together" in text
    )
    assert "user 10000 and 26 more, more than 20,000 rarer ones together" in text


def test_segments_past_those_told_apart_are_said() -> None:
    """Of nine the first eight are counted by value."""
    segments = {f"s{at}": ["a", "b"] * 50 for at in range(9)}
    text = said(profile_of(batch({"x": range(100)}, segments=segments), provenance="none"))
    assert "Of 9 segments the first 8 are told apart" in text
    assert "rarer" not in text
