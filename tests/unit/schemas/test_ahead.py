"""How far ahead of a clock an event may lie."""

from __future__ import annotations

from driftline.schemas.ahead import ahead_fault, latest_ms


def test_the_allowance_itself_is_allowed() -> None:
    """An event at the allowance may be, one a millisecond later may not, and the sentence says by how much."""
    assert latest_ms(1_000, 600) == 1_600
    assert ahead_fault(latest_ms(1_000, 600), 1_000, 600, "the clock") is None
    fault = ahead_fault(1_601, 1_000, 600, "the clock")
    assert fault is not None
    assert fault.startswith("an event lies 601 ms ahead of the clock, 600 ms are allowed")
