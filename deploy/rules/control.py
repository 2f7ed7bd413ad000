"""Control: whether somebody decides, whether the audit is witnessed, and whether agents hear of it."""

from __future__ import annotations

from typing import Final

from driftline.deploy.rules.names import CONTROL, SERVING
from driftline.deploy.rules.rule import CONTROLLER, DAY, MINUTE, Alert, Group, Severity

WITNESS_S: Final = 15 * MINUTE
STALE_S: Final = 5 * MINUTE

LEADERLESS: Final = Alert(
    name="DriftlineNoController",
    # A target that does not answer has no `active` at all.
    expr=f'max by (job) ({CONTROL["active"]}) < 1 or max by (job) (up{{job="{CONTROLLER}"}}) == 0',
    hold_s=2 * MINUTE,
    severity=Severity.CRITICAL,
    summary="no controller decides: commands wait, and no state can change",
    look="driftline pending",
)
UNSTEADY: Final = Alert(
    name="DriftlineControllerUnsteady",
    expr=f"increase({CONTROL['interrupted']}[30m]) > 3",
    hold_s=0,
    severity=Severity.WARNING,
    summary="the tenure at {{ $labels.instance }} ended {{ $value | printf `%.0f` }} times within half an hour",
    look="driftline status",
)
UNWITNESSED: Final = Alert(
    name="DriftlineWitnessBehind",
    expr=f"(max(max_over_time({CONTROL['records']}[5m])) - on () group_right () {CONTROL['witnessed']} > 0)"
    f" and time() - {CONTROL['witnessed_at']} > {WITNESS_S}",
    hold_s=5 * MINUTE,
    severity=Severity.WARNING,
    summary="the witness {{ $labels.witness }} has not signed the last {{ $value | printf `%.0f` }} records of the "
    "audit",
    look="driftline audit verify",
)
UNREVIEWED: Final = Alert(
    name="DriftlineUseUnreviewed",
    expr=f"{CONTROL['unreviewed']} > 0",
    hold_s=DAY,
    severity=Severity.WARNING,
    summary="changes made with the glass broken that nobody has reviewed for a day: {{ $value }}",
    look="driftline pending",
)
STUCK: Final = Alert(
    name="DriftlineChangeStuck",
    expr=f"{CONTROL['preparing']} > 0",
    hold_s=15 * MINUTE,
    severity=Severity.WARNING,
    summary="deployments in which a change is being prepared, and is not done: {{ $value }}",
    look="driftline inventory",
)
STALE: Final = Alert(
    name="DriftlineAgentStale",
    expr=f"{SERVING['stale_seconds']} > {STALE_S}",
    hold_s=0,
    severity=Severity.CRITICAL,
    summary="{{ $labels.instance }} has heard nothing of the states for {{ $value | humanizeDuration }}, and goes on "
    "with what it knows",
    look="driftline inventory",
)
APART: Final = Alert(
    name="DriftlineRevisionsApart",
    expr=f"max by (deployment) ({SERVING['revision']}) != min by (deployment) ({SERVING['revision']})",
    hold_s=5 * MINUTE,
    severity=Severity.WARNING,
    summary="agents serve different revisions of {{ $labels.deployment }}; the newest is {{ $value }}",
    look="driftline inventory",
)
SWAPS: Final = Alert(
    name="DriftlineSwapsFail",
    expr=f'sum by (deployment, outcome) (increase({SERVING["swaps"]}{{outcome=~"failed|refused"}}[1h])) > 0',
    hold_s=0,
    severity=Severity.WARNING,
    summary="agents did not take a revision of {{ $labels.deployment }} ({{ $labels.outcome }})",
    look="driftline history {{ $labels.deployment }}",
)

CONTROL_GROUP: Final = Group(
    name="driftline-control",
    purpose="Whether somebody decides, is witnessed, and is heard.",
    rules=(LEADERLESS, UNSTEADY, UNWITNESSED, UNREVIEWED, STUCK, STALE, APART, SWAPS),
)
