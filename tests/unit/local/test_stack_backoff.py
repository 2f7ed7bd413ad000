"""Waiting before the next start."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from driftline.deploy.local.backoff import GREATEST_SECONDS, HEALTHY_SECONDS, Backoff


@given(st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 1, exclude_max=True)), max_size=200))
def test_a_wait_is_bounded(ends: list[tuple[float, float]]) -> None:
    """However often a process ends, the wait stays above 0 and at or below the cap."""
    backoff = Backoff()
    for lived, jitter in ends:
        assert 0 < backoff.after_end(lived_seconds=lived, jitter=jitter) <= GREATEST_SECONDS


def test_waits_double_up_to_the_cap() -> None:
    """Ends in a row wait twice as long each, then the cap."""
    backoff = Backoff()
    waits = [backoff.after_end(lived_seconds=0, jitter=1.0) for _ in range(9)]
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_healthy_while_is_forgiven() -> None:
    """After a healthy minute the first wait comes again."""
    backoff = Backoff()
    first = backoff.after_end(lived_seconds=0, jitter=0.5)
    for _ in range(5):
        backoff.after_end(lived_seconds=0, jitter=0.5)
    assert backoff.after_end(lived_seconds=HEALTHY_SECONDS, jitter=0.5) == first
