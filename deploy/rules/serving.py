"""Serving: whether callers are answered, in time, and whether what is answered is seen."""

from __future__ import annotations

from typing import Final

from driftline.deploy.rules.names import ALERTS, SERVING
from driftline.deploy.rules.objective import BURNS, LEAST_BAD, Burn, Objective
from driftline.deploy.rules.rule import HOUR, MINUTE, Alert, Group, Record, Severity, span

INFO: Final = "driftline:deployment:info"
SLOW_S: Final = 12 * HOUR
"""Windows longer than this are computed every two minutes: over days nothing changes sooner."""


def owned(condition: str) -> str:
    """Give a condition by deployment the labels of whose deployment it is."""
    return f"({condition}) * on (deployment) group_left (team, owner, importance) {INFO}"


OWNERS: Final = Record(
    INFO,
    # One line a deployment, also while two workers know different revisions; and one for what has no settings.
    f"topk by (deployment) (1, max by (deployment, team, owner, importance) ({ALERTS['deployment']}))"
    f" or on (deployment) label_replace(max by (deployment) ({SERVING['requests']}) * 0 + 1,"
    ' "importance", "normal", "", "")',
)
CANARY: Final = Alert(
    name="DriftlineCanaryClosed",
    expr=owned(f"sum by (deployment) ({SERVING['canary_closed']}) > 0"),
    hold_s=0,
    severity=Severity.WARNING,
    summary="agents that ask the canary of {{ $labels.deployment }} no more, since it failed too often: {{ $value }}",
    look="driftline history {{ $labels.deployment }}",
)
UNSEEN: Final = Alert(
    name="DriftlinePredictionsUnrecorded",
    expr=owned(f"sum by (deployment) (increase({SERVING['unrecorded']}[15m])) > 0"),
    hold_s=0,
    severity=Severity.CRITICAL,
    summary="{{ $value | printf `%.0f` }} predictions of {{ $labels.deployment }} became no event within 15 minutes",
    look="driftline emitters {{ $labels.deployment }}",
)
HUNG: Final = Alert(
    name="DriftlineCallsHang",
    expr=owned(f"sum by (deployment) ({SERVING['hung']}) > 0"),
    hold_s=5 * MINUTE,
    severity=Severity.WARNING,
    summary="{{ $value }} calls of models of {{ $labels.deployment }} were given up and hang, and hold a thread each",
    look="driftline history {{ $labels.deployment }}",
)
UNSHADOWED: Final = Alert(
    name="DriftlineShadowDropped",
    expr=owned(
        f"sum by (deployment) (rate({SERVING['shadow_dropped']}[30m]))"
        f" / sum by (deployment) (rate({SERVING['requests']}[30m])) > 0.05"
    ),
    hold_s=15 * MINUTE,
    severity=Severity.WARNING,
    summary="the shadow of {{ $labels.deployment }} is not asked {{ $value | humanizePercentage }} of requests",
    look="driftline health {{ $labels.deployment }}",
)


def groups(objective: Objective) -> tuple[Group, ...]:
    """Give the rules of serving, with the alerts on an objective."""
    seen = Group(
        name="driftline-serving",
        purpose="Whose each deployment is, and whether what it answers is seen.",
        rules=(OWNERS, CANARY, UNSEEN, HUNG, UNSHADOWED),
    )
    quick = tuple(one for one in BURNS if one.long_s <= SLOW_S)
    slow = tuple(one for one in BURNS if one.long_s > SLOW_S)
    return (
        seen,
        _burning("driftline-objectives", quick, objective, None),
        _burning("driftline-objectives-slow", slow, objective, 2 * MINUTE),
    )


def _burning(name: str, burns: tuple[Burn, ...], objective: Objective, interval_s: int | None) -> Group:
    spans = sorted({one for burn in burns for one in (burn.long_s, burn.short_s)})
    return Group(
        name=name,
        purpose="How fast the error budget burns: shares of bad requests, and the alerts on them.",
        rules=(
            *(record for seconds in spans for record in _shares(seconds, objective)),
            *(alert for burn in burns for alert in _alerts(burn, objective)),
        ),
        interval_s=interval_s,
    )


def _share(seconds: int) -> str:
    return f"driftline:slo_bad:ratio_rate{span(seconds)}"


def _shares(seconds: int, objective: Objective) -> tuple[Record, Record]:
    """The share of bad requests over a window, by deployment, for both objectives."""
    over = span(seconds)
    asked = f"sum by (deployment) (rate({SERVING['requests']}[{over}]))"
    failed = f'sum by (deployment) (rate({SERVING["requests"]}{{code=~"5.."}}[{over}]))'
    timed = f"sum by (deployment) (rate({SERVING['seconds']}_count[{over}]))"
    quick = f'sum by (deployment) (rate({SERVING["seconds"]}_bucket{{le="{objective.quick_s}"}}[{over}]))'
    return (
        Record(_share(seconds), f"({failed} or {asked} * 0) / {asked}", {"slo": "availability"}),
        Record(_share(seconds), f"1 - {quick} / {timed}", {"slo": "latency"}),
    )


def _alerts(burn: Burn, objective: Objective) -> tuple[Alert, Alert]:
    said = "{{ $value | humanizePercentage }} of requests to {{ $labels.deployment }}"
    within = f"within {span(burn.long_s)}"
    slow = f"took more than {objective.quick_s * 1000:g} ms"
    return (
        _alert(
            "DriftlineAvailabilityBurn", "availability", burn, objective.available, f"{said} failed {within}"
        ),
        _alert("DriftlineLatencyBurn", "latency", burn, objective.quick, f"{said} {slow} {within}"),
    )


def _alert(name: str, slo: str, burn: Burn, percent: float, summary: str) -> Alert:
    most = round(burn.rate * (100 - percent) / 100, 6)
    chosen = f'{{slo="{slo}"}}'
    long, short = _share(burn.long_s) + chosen, _share(burn.short_s) + chosen
    bad = (
        f"{long} * on (deployment) sum by (deployment) (increase({SERVING['requests']}[{span(burn.long_s)}]))"
    )
    return Alert(
        name=name,
        expr=owned(f"{long} > {most} and {short} > {most} and on (deployment) {bad} >= {LEAST_BAD}"),
        hold_s=0,
        severity=burn.severity,
        summary=summary,
        look="driftline health {{ $labels.deployment }}",
        labels={"window": span(burn.long_s)},
    )
