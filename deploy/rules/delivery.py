"""Delivery: whether people hear: emitters that lose rows, and alerts that reach nobody."""

from __future__ import annotations

from typing import Final

from driftline.deploy.rules.names import ALERTS
from driftline.deploy.rules.rule import MINUTE, Alert, Group, Record, Severity
from driftline.streams.alerts.losses import CALLER

EMITTERS_LOST: Final = "driftline:emitter_lost_rows:increase1h"
WAITING_S: Final = 5 * MINUTE

LOSING: Final = Alert(
    name="DriftlineEmittersLose",
    # Each alerts worker hears of all emitters, so the greatest is the figure and the sum would be too much.
    expr=f'{EMITTERS_LOST}{{reason!="{CALLER}"}} > 0',
    hold_s=0,
    severity=Severity.CRITICAL,
    summary="emitters gave up {{ $value | printf `%.0f` }} rows within an hour ({{ $labels.reason }})",
    look="driftline emitters",
)
WRONG: Final = Alert(
    name="DriftlineEmittersSendWrong",
    expr=f'{EMITTERS_LOST}{{reason="{CALLER}"}} > 0',
    hold_s=15 * MINUTE,
    severity=Severity.WARNING,
    summary="applications offered {{ $value | printf `%.0f` }} rows within an hour that cannot travel",
    look="driftline emitters",
)
UNDELIVERED: Final = Alert(
    name="DriftlineAlertsUndelivered",
    expr=f"{ALERTS['waiting']} > {WAITING_S}",
    hold_s=0,
    severity=Severity.CRITICAL,
    summary="the route {{ $labels.route }} has taken no alert for {{ $value | humanizeDuration }}",
    look="driftline alerts --open",
)
GIVEN_UP: Final = Alert(
    name="DriftlineAlertsGivenUp",
    expr=f"increase({ALERTS['given_up']}[1h]) > 0",
    hold_s=0,
    severity=Severity.WARNING,
    summary="the route {{ $labels.route }} refused {{ $value | printf `%.0f` }} alerts for good within an hour",
    look="driftline alerts --open",
)
UNROUTED: Final = Alert(
    name="DriftlineAlertsUnrouted",
    expr=f"increase({ALERTS['unrouted']}[1h]) > 0",
    hold_s=0,
    severity=Severity.WARNING,
    summary="{{ $value | printf `%.0f` }} alerts within an hour were for a route that nobody has configured",
    look="driftline deployment list",
)
SHED: Final = Alert(
    name="DriftlineAlertsShed",
    expr=f"delta({ALERTS['shed']}[1h]) > 0",
    hold_s=0,
    severity=Severity.WARNING,
    summary="worker alerts left {{ $value | printf `%.0f` }} subjects out at a bound within an hour (partition "
    "{{ $labels.partition }})",
    look="driftline alerts --open",
)
UNREAD: Final = Alert(
    name="DriftlineWindowsUnreadable",
    expr=f"increase({ALERTS['refused']}[1h]) > 0",
    hold_s=0,
    severity=Severity.WARNING,
    summary="worker alerts could not take {{ $value | printf `%.0f` }} windows within an hour",
    look="driftline dead-letter list --topic windows",
)

DELIVERY_GROUP: Final = Group(
    name="driftline-delivery",
    purpose="Whether people hear of what they should.",
    rules=(
        Record(EMITTERS_LOST, f"max by (reason) (increase({ALERTS['emitters_lost']}[1h]))"),
        LOSING,
        WRONG,
        UNDELIVERED,
        GIVEN_UP,
        UNROUTED,
        SHED,
        UNREAD,
    ),
)
