"""Storage: whether what travels is kept: the archive against ClickHouse, its disks, and what could not be read."""

from __future__ import annotations

from typing import Final

from driftline.deploy.rules.names import ACCURACY, ARCHIVE, DISK, DRIFT
from driftline.deploy.rules.rule import DAY, HOUR, MINUTE, Alert, Group, Record, Severity

HEADROOM: Final = "driftline:archive_headroom_seconds:min"
DISK_FREE: Final = "driftline:archive_disk_free:ratio"
LEAST_HEADROOM_S: Final = DAY
LETTERS: Final = "driftline:dead_letters:increase1h"
WAITING: Final = "driftline:awaiting_restatement_rows:sum"

AWAY: Final = Alert(
    name="DriftlineArchiveAway",
    expr=f"{ARCHIVE['away_seconds']} > {5 * MINUTE}",
    hold_s=0,
    severity=Severity.WARNING,
    summary="ClickHouse has taken nothing from {{ $labels.instance }} for {{ $value | humanizeDuration }}",
    look="driftline doctor",
)
NARROW: Final = Alert(
    name="DriftlineArchiveHeadroom",
    expr=f"{HEADROOM} < {LEAST_HEADROOM_S}",
    hold_s=5 * MINUTE,
    severity=Severity.CRITICAL,
    summary="Kafka deletes {{ $labels.topic }} in {{ $value | humanizeDuration }} and it is not archived",
    look="driftline status",
)
FULL: Final = Alert(
    name="DriftlineDiskFull",
    expr=f"{DISK_FREE} < 0.1",
    hold_s=5 * MINUTE,
    severity=Severity.CRITICAL,
    summary="the disk {{ $labels.disk }} of ClickHouse has {{ $value | humanizePercentage }} left",
    look="driftline status",
)
FILLING: Final = Alert(
    name="DriftlineDiskFills",
    expr=f"{DISK_FREE} < 0.3 and predict_linear({DISK['free']}[6h], {4 * DAY}) < 0",
    hold_s=HOUR,
    severity=Severity.WARNING,
    summary="the disk {{ $labels.disk }} of ClickHouse is full within four days if it fills as it did; it has "
    "{{ $value | humanizePercentage }} left",
    look="driftline status",
)
REFUSED: Final = Alert(
    name="DriftlineDeadLetters",
    expr=f"{LETTERS} > 0",
    hold_s=0,
    severity=Severity.WARNING,
    summary="{{ $value | printf `%.0f` }} messages of {{ $labels.topic }} were refused within an hour "
    "({{ $labels.reason }})",
    look="driftline dead-letter list",
)
UNCOUNTED: Final = Alert(
    name="DriftlineRestatementsFail",
    expr=f"increase({ACCURACY['failed']}[30m]) > 3",
    hold_s=0,
    severity=Severity.WARNING,
    summary="cold windows could not be counted again {{ $value | printf `%.0f` }} times within half an hour",
    look="driftline status",
)
PILING: Final = Alert(
    name="DriftlineLateRowsWait",
    expr=f"{WAITING} > 0 and {WAITING} offset 3h > 0 and min_over_time({WAITING}[3h]) > 0",
    hold_s=15 * MINUTE,
    severity=Severity.WARNING,
    summary="{{ $value | printf `%.0f` }} rows that came late are in no window for three hours",
    look="driftline status",
)
UNBELIEVED: Final = Alert(
    name="DriftlineForgetsWait",
    expr=f"max by (instance) ({ARCHIVE['doubts']}) > 0"
    f" or sum by (instance) (increase({ARCHIVE['unbelieved']}[1h])) > 0"
    f" or max by (instance) (min_over_time({DISK['failing']}[10m]) > 0 and {DISK['failing']} offset 10m > 0) > 0",
    hold_s=0,
    severity=Severity.WARNING,
    summary="the archive at {{ $labels.instance }} does not believe all of the audit, or cannot do all of its "
    "housekeeping: what is to be forgotten may wait",
    look="driftline audit verify",
)

STORAGE_GROUP: Final = Group(
    name="driftline-storage",
    purpose="Whether what travels is kept.",
    rules=(
        Record(HEADROOM, f"min by (topic) ({ARCHIVE['headroom_seconds']})"),
        Record(DISK_FREE, f"{DISK['free']} / {DISK['total']}"),
        Record(LETTERS, f"sum by (topic, reason) (increase({ARCHIVE['dead_letters']}[1h]))"),
        Record(WAITING, f"sum by (role) ({DRIFT['awaiting']}) or sum by (role) ({ACCURACY['late']})"),
        AWAY,
        NARROW,
        FULL,
        FILLING,
        REFUSED,
        UNCOUNTED,
        PILING,
        UNBELIEVED,
    ),
)
