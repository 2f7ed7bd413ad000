"""Workers: whether every role runs, stores what it takes, and keeps up with the log."""

from __future__ import annotations

from typing import Final

from driftline.deploy.local.worker import ROLES
from driftline.deploy.rules.names import ACCURACY, ALERTS, ARCHIVE, DRIFT, WORKER
from driftline.deploy.rules.rule import HOUR, JOB, MINUTE, WORKERS, Alert, Group, Record, Severity, span

LAG: Final = "driftline:lag_messages:sum"
FAILED: Final = "driftline:commits_failed:increase15m"
LOST: Final = "driftline:lost_messages:increase1h"
MOST_LAG: Final = 10_000
"""Messages; one of an Emitter carries up to 500 rows."""
LEAST_GROWTH: Final = 1
"""Messages a second by which a lag has to grow to be told of."""
STORED_S: Final = 5 * MINUTE
"""Thirty times `worker.checkpoint_seconds` as it is given."""
RESTARTS: Final = 3

_LAGS: Final = {
    "drift": DRIFT["lag"],
    "archive": ARCHIVE["lag"],
    "accuracy": WORKER["lag"],
    "alerts": WORKER["lag"],
}
_LOSSES: Final = {
    "drift": DRIFT["lost"],
    "archive": ARCHIVE["lost"],
    "accuracy": ACCURACY["lost"],
    "alerts": ALERTS["lost"],
}

DOWN: Final = Alert(
    name="DriftlineTargetDown",
    expr=f'up{{job=~"{JOB}.+"}} == 0',
    hold_s=2 * MINUTE,
    severity=Severity.WARNING,
    summary="{{ $labels.instance }} ({{ $labels.job }} {{ $labels.role }}) does not answer",
    look="driftline status",
)
MISSING: Final[tuple[Alert, ...]] = tuple(
    Alert(
        name="DriftlineRoleMissing",
        expr=f'absent(up{{job="{WORKERS}", role="{role}"}} == 1)',
        hold_s=2 * MINUTE,
        severity=Severity.CRITICAL,
        summary=f"no worker {role} answers",
        look="driftline status",
        labels={"role": role},
    )
    for role in ROLES
)
RESTARTING: Final = Alert(
    name="DriftlineRestarting",
    expr=f'changes(process_start_time_seconds{{job=~"{JOB}.+"}}[{span(HOUR)}]) > {RESTARTS}',
    hold_s=0,
    severity=Severity.WARNING,
    summary="{{ $labels.instance }} ({{ $labels.job }} {{ $labels.role }}) began {{ $value }} times within an hour",
    look="driftline status",
)
NOT_STORED: Final = Alert(
    name="DriftlineNotStored",
    expr=f"time() - {WORKER['stored']} > {STORED_S}",
    hold_s=MINUTE,
    severity=Severity.CRITICAL,
    summary="worker {{ $labels.role }} has stored nothing of {{ $labels.topic }}, partition {{ $labels.partition }}, "
    "for {{ $value | humanizeDuration }}",
    look="driftline status",
)
REFUSED: Final = Alert(
    name="DriftlineCommitsFail",
    expr=f"{FAILED} > 5",
    hold_s=5 * MINUTE,
    severity=Severity.WARNING,
    summary="worker {{ $labels.role }} at {{ $labels.instance }} gave up {{ $value | printf `%.0f` }} checkpoints "
    "within 15 minutes",
    look="driftline status",
)
BEHIND: Final = Alert(
    name="DriftlineLagHigh",
    expr=f"{LAG} > {MOST_LAG}",
    hold_s=15 * MINUTE,
    severity=Severity.WARNING,
    summary="worker {{ $labels.role }} is {{ $value | humanize }} messages behind",
    look="driftline status",
)
GROWING: Final = Alert(
    name="DriftlineLagGrows",
    expr=f"{LAG} > {MOST_LAG // 10} and deriv({LAG}[15m]) > {LEAST_GROWTH}",
    hold_s=15 * MINUTE,
    severity=Severity.WARNING,
    summary="worker {{ $labels.role }} falls behind: {{ $value | humanize }} messages, and more each minute",
    look="driftline status",
)
LOSING: Final = Alert(
    name="DriftlineMessagesLost",
    expr=f"{LOST} > 0",
    hold_s=0,
    severity=Severity.CRITICAL,
    summary="retention removed {{ $value | printf `%.0f` }} messages before worker {{ $labels.role }} had read them",
    look="driftline status",
)

WORKERS_GROUP: Final = Group(
    name="driftline-workers",
    purpose="Whether every role runs, stores what it takes, and keeps up.",
    rules=(
        *(Record(LAG, f'sum({metric}{{role="{role}"}})', {"role": role}) for role, metric in _LAGS.items()),
        *(
            Record(LOST, f'sum(increase({metric}{{role="{role}"}}[1h]))', {"role": role})
            for role, metric in _LOSSES.items()
        ),
        # Drift gives a whole checkpoint up where the others see a commit refused.
        Record(
            FAILED,
            f'sum by (role, instance) (increase({WORKER["refused"]}{{role!="drift"}}[15m]))'
            f" or sum by (role, instance) (increase({DRIFT['abandoned']}[15m]))",
        ),
        DOWN,
        *MISSING,
        RESTARTING,
        NOT_STORED,
        REFUSED,
        BEHIND,
        GROWING,
        LOSING,
    ),
)
