"""The rule: when the last windows of a subject make an alert, and when they end one. Pure, and without a clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from driftline.streams.alerts.verdicts import FAIL, FINE, WARN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.schemas.alert import Severity
    from driftline.schemas.deployment import DeploymentSettings

Turn: TypeAlias = Literal["warn", "fail", "resolved"]
"""An edge: the alert fires with that severity (first, or harder than before), or is resolved."""


def decide(codes: Sequence[int], k: int, held: Severity | None) -> Turn | None:
    """Decide what the last m windows of a subject make of its alert.

    It fires when k of them are bad: as `fail` when k of them fail, else as `warn`; one that fires goes from `warn` to
    `fail` and never back. It is resolved when none of the m is bad and at least k say that all is well. In between,
    and by windows that say nothing, it stays what it is: what fired does not flicker.

    Args:
        codes: what each of the last m windows says, of `driftline.streams.alerts.verdicts`.
        k: bad windows that make an alert.
        held: severity of the alert that fires; None while none does.

    >>> decide([FINE, WARN, FAIL], 2, None)
    'warn'
    >>> decide([FINE, FINE, FAIL], 2, "warn") is None
    True
    >>> decide([FINE, FINE, FINE], 2, "warn")
    'resolved'
    """
    fails = sum(code == FAIL for code in codes)
    bad = fails + sum(code == WARN for code in codes)
    if bad >= k:
        severity: Severity = "fail" if fails >= k else "warn"
        return severity if held is None or (held, severity) == ("warn", "fail") else None
    fine = sum(code == FINE for code in codes)
    return "resolved" if held is not None and not bad and fine >= k else None


WEIGHT: Final = {"low": 0, "normal": 1, "high": 2, "critical": 3}


def priority(importance: str, severity: Severity) -> int:
    """Give 1 (a critical deployment fails) to 5 (a warning of one of low importance).

    >>> [priority(name, "warn") for name in ("critical", "high", "normal", "low")]
    [2, 3, 4, 5]
    """
    return 5 - WEIGHT[importance] - (severity == "fail")


def routes(settings: DeploymentSettings, severity: Severity) -> tuple[str, ...]:
    """The routes that want to hear of a severity, in the order of the settings, each once."""
    wanted = [one.route for one in settings.contacts if severity == "fail" or one.severity == "warn"]
    return tuple(dict.fromkeys(wanted))
