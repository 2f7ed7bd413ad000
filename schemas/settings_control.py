"""Control: what change under control rests on, and how long commands wait, a section of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from driftline.schemas.settings_kinds import File

if TYPE_CHECKING:
    from driftline.schemas.control.serving_state import Tier

Meta = msgspec.Meta
Hours = Annotated[float, Meta(description="a number of hours above 0, at most 72", gt=0, le=72)]

_HOUR_MS: Final = 3_600_000


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """What change under control rests on; it does not come from Kafka, so that nobody there can replace it."""

    genesis: Annotated[
        str,
        Meta(
            description="64 hex digits, as 'driftline trust init' prints them, or nothing",
            pattern=r"\A([0-9a-f]{64})?\Z",
        ),
    ] = ""
    key: File = ""
    trust: File = ""
    controller_key: File = ""
    checkpoint_key: File = ""
    approval_hours_low: Hours = 72.0
    approval_hours_medium: Hours = 72.0
    approval_hours_high: Hours = 72.0

    @property
    def approval_ms(self) -> dict[Tier, int]:
        """How long a command of each tier waits for approvals, ms."""
        hours: dict[Tier, float] = {
            "low": self.approval_hours_low,
            "medium": self.approval_hours_medium,
            "high": self.approval_hours_high,
        }
        return {tier: round(most * _HOUR_MS) for tier, most in hours.items()}
