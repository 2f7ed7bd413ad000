"""Objective: what callers of a deployment may count on, and the alerts on how fast the error budget burns.

Alerts are those of the SRE workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts": a rate of burning counts when
it holds over a long window, so that it costs something, and over a short one, so that it still goes on. The rates are
for a budget of 30 days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from driftline.agents.serving.metrics import SECONDS
from driftline.deploy.rules.errors import RulesError
from driftline.deploy.rules.rule import DAY, HOUR, MINUTE, Severity

LEAST_BAD: Final = 10
"""Bad requests within the long window below which nobody is told: one of twenty requests is no rate."""


@dataclass(frozen=True)
class Burn:
    """One rate of burning.

    Attributes:
        long_s, short_s: windows, s.
        rate: times what would use up the budget in exactly 30 days.
        severity: how soon to look.
    """

    long_s: int
    short_s: int
    rate: float
    severity: Severity


BURNS: Final = (
    Burn(HOUR, 5 * MINUTE, 14.4, Severity.CRITICAL),  # 2 % of the budget within an hour
    Burn(6 * HOUR, 30 * MINUTE, 6, Severity.CRITICAL),  # 5 % within six hours
    Burn(DAY, 2 * HOUR, 3, Severity.WARNING),  # 10 % within a day
    Burn(3 * DAY, 6 * HOUR, 1, Severity.WARNING),  # 10 % within three days
)


@dataclass(frozen=True)
class Objective:
    """What holds for every deployment that is served.

    Attributes:
        available: percent of requests that are not answered with 5xx.
        quick: percent of requests that are answered within `quick_s`.
        quick_s: one of the bounds of the agents' histogram, s.

    Raises:
        RulesError: a percentage is none that leaves a budget, or the time is no bound of the histogram.
    """

    available: float = 99.9
    quick: float = 99.0
    quick_s: float = 0.1

    def __post_init__(self) -> None:
        for name, percent in (("available", self.available), ("quick", self.quick)):
            if not 50 <= percent < 100:  # noqa: PLR2004 - percent
                raise RulesError(f"the objective {name} is {percent} %; it must be 50 or more, and below 100")
            worst = max(one.rate for one in BURNS) * (100 - percent)
            if worst >= 100:  # noqa: PLR2004 - percent
                raise RulesError(
                    f"the objective {name} is {percent} %, which {worst:.0f} % of bad requests would have to break; "
                    "give one above 93.06"
                )
        if self.quick_s not in SECONDS:
            bounds = ", ".join(f"{one * 1000:g}" for one in SECONDS)
            raise RulesError(
                f"the objective of {self.quick_s * 1000:g} ms is no bound of the agents' histogram; take one of "
                f"{bounds}"
            )
