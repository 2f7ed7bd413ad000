"""Rule: what Prometheus computes (Record) and what somebody is told of (Alert), each with what a reader needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

JOB: Final = "driftline-"
"""What the names of all of driftline's scrape jobs begin with."""
WORKERS: Final = f"{JOB}workers"
"""The job of the stream workers; the label `role` says which one a target is."""
CONTROLLER: Final = f"{JOB}controller"
AGENTS: Final = f"{JOB}agents"
MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


class Severity(Enum):
    """How soon somebody has to look; the words are those of driftline's own alerts."""

    CRITICAL = "critical"
    """Now, at night too: something is lost, or will be within hours."""
    WARNING = "warning"
    """On the next working day."""


@dataclass(frozen=True)
class Alert:
    """What somebody is told of.

    Attributes:
        name: of the alert and of its page in docs/runbooks/.
        expr: it fires for each series of this expression.
        hold_s: how long the expression must hold first, s.
        severity: how soon to look.
        summary: one line; `{{ $labels.x }}` and `{{ $value }}` are Prometheus's.
        look: the command that shows what is behind it.
        labels: further ones.
    """

    name: str
    expr: str
    hold_s: int
    severity: Severity
    summary: str
    look: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """A series that other rules and people read: `level:metric:operations`, as Prometheus's own advice has it."""

    name: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Rules that are computed together, in order.

    Attributes:
        name: of the group.
        purpose: what it watches, one sentence.
        rules: a rule may read what an earlier one records.
        interval_s: between two evaluations, s; None for that of the server.
    """

    name: str
    purpose: str
    rules: tuple[Alert | Record, ...]
    interval_s: int | None = None

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Its alerts."""
        return tuple(one for one in self.rules if isinstance(one, Alert))


def span(seconds: int) -> str:
    """Give a duration as Prometheus writes it, in the largest unit that fits.

    >>> span(5400), span(3600), span(259200), span(0)
    ('90m', '1h', '3d', '0s')
    """
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
