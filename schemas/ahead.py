"""How far ahead of a clock an event may lie: one rule for those who send events and those who read them.

One event of the far future would push the watermark past every honest one and close their windows. Readers hold a batch
against the time at which the broker appended it, and refuse it whole; the emitter holds each row against its own clock.
"""

from __future__ import annotations


def latest_ms(clock_ms: int, future_ms: int) -> int:
    """The latest time an event may have at a time of the clock; both ms since 1970, as is the answer.

    Args:
        clock_ms: what the clock says.
        future_ms: how far ahead an event may lie, ms (the setting `worker.future_ms`).

    """
    return clock_ms + future_ms


def ahead_fault(newest_ms: int, clock_ms: int, future_ms: int, whose: str) -> str | None:
    """Why an event of that time may not be; None when it may. `whose` names the clock; arguments as `latest_ms`."""
    if newest_ms <= latest_ms(clock_ms, future_ms):
        return None
    return (
        f"an event lies {newest_ms - clock_ms} ms ahead of {whose}, {future_ms} ms are allowed: "
        "send event times in milliseconds since 1970, UTC"
    )
