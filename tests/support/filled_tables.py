"""Tables of ClickHouse filled by itself with a fleet that has everything a panel can show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from driftline.agents.control.telling import EVENTS
from driftline.schemas.control.command import RejectCode
from driftline.schemas.settings import Settings
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.letter_rows import OPEN

REFUSED: RejectCode = "forbidden"
_FIGURE_COLUMNS = (
    ("kind", 1),
    ("feature", 2),
    ("metric", 3),
    ("segment", 4),
    ("value", 5),
    ("verdict", 6),
    ("threshold_null", 7),
    ("floor", 8),
    ("block", 9),
    ("reason", 10),
    ("rows", 11),
    ("reference_rows", 12),
    ("level", 13),
    ("low", 14),
    ("high", 15),
    ("interval", 16),
)
# One figure: kind, feature, metric, segment, value, verdict, and what a judged one carries.
_FIGURE = (
    "({kind}, {feature}, {metric}, {segment}, toNullable(toFloat64({value})), {verdict}, toNullable(0.01),"
    " toNullable(0.1), toNullable(0.02), 'said so', toInt64(2000), toInt64(5000), toNullable(0.08),"
    " toNullable(toFloat64({value}) - 0.01), toNullable(toFloat64({value}) + 0.01), 'iid')"
)
_VERDICT = "['ok', 'inconclusive', 'warn', 'fail'][1 + ({of}) % 4]"


def _figure(
    kind: str, feature: str, metric: str, value: str, verdict: str = "''", segment: str = "''"
) -> str:
    return _FIGURE.format(
        kind=f"'{kind}'", feature=feature, metric=metric, segment=segment, value=value, verdict=verdict
    )


_DRIFT_FIGURES = f"""arrayConcat(
    arrayFlatten(arrayMap(f -> [
        {_figure("drift", "concat('f', toString(f))", "'psi'", "f / 100 + d % 7 / 50", _VERDICT.format(of="d + f"))},
        {_figure("drift", "concat('f', toString(f))", "'ks'", "f / 200")},
        {_figure("drift", "concat('f', toString(f))", "'mean_sigma'", "f / 10")},
        {_figure("quality", "concat('f', toString(f))", "'nulls'", "f / 500", "'ok'")}
    ], range(1, 21))),
    [
        {_figure("prediction", "'score'", "'psi'", "d / 100", "'warn'")},
        {_figure("health", "''", "'rate'", "d / 10")},
        {_figure("health", "''", "'errors'", "d / 1000")},
        {_figure("health", "''", "'latency_p95'", "10 + d")},
        {_figure("rows", "''", "'rows'", "2000")}
    ])"""
_TRUTH_FIGURES = f"""arrayConcat(
    [
        {_figure("performance", "''", "'auc'", "0.8 - d / 200", _VERDICT.format(of="d"))},
        {_figure("performance", "''", "'coverage'", "0.9")},
        {_figure("estimate", "''", "'auc'", "0.8", "'ok'")}
    ],
    arrayFlatten(arrayMap(s -> [
        {_figure("fairness", "'region'", "'selection_rate'", "s / 10", segment="concat('region=', toString(s))")},
        {_figure("fairness", "'region'", "'selection_rate_ratio'", "s / 5", segment="concat('region=', toString(s))")},
        {_figure("fairness", "'region'", "'tpr'", "s / 6", segment="concat('region=', toString(s))")},
        {_figure("fairness", "'region'", "'fpr'", "s / 7", segment="concat('region=', toString(s))")},
        {_figure("fairness", "'region'", "'ppv'", "s / 8", segment="concat('region=', toString(s))")}
    ], range(1, 5))),
    [{_figure("fairness", "'region'", "'four_fifths'", "0.5", "'fail'")}])"""
_WINDOWS = """
INSERT INTO windows (deployment, model_version, slot, resolution, run, role, window_start, window_end, version, final,
    rows, labels, delay_p50_s, delay_p90_s, late_rows, settings_revision, watermark, computed_at, counts, arrived,
    {columns})
SELECT concat('deployment-', toString(number DIV {days})) AS deployment, '1', 'champion', '1d', 'live', '{role}',
    toDateTime64('{start}', 3, 'UTC') + toIntervalDay(d), window_start + toIntervalDay(1), 1, true,
    2000, {labels}, 60, 600, d % 3, 1, window_start, window_start, repeat('c', 2000), now64(3), {arrays}
FROM
(
    SELECT number, number % {days} AS d, toDateTime64('{start}', 3, 'UTC') + toIntervalDay(d) AS window_start,
        {figures} AS every
    FROM numbers({deployments} * {days})
)
"""
_REST = (
    """INSERT INTO predictions (arrived, deployment, model_version, slot, ts, prediction_id, float_names,
        floats, category_names,
        categories)
    SELECT now64(3), concat('deployment-', toString(number % 3)), '1', 'champion',
        toDateTime64('{start}', 3, 'UTC') + toIntervalMinute(number), toFixedString(toString(number), 16),
        '["f1"]', [number % 50], '["f2"]', [['a', 'b', NULL][1 + number % 3]]
    FROM numbers(30000)""",
    """INSERT INTO alerts (arrived, deployment, alert_id, ordinal, id, rule, about, name, slot, state,
        severity, importance,
        priority, reason, model_version, resolution, window_start, window_end, since, made_at)
    SELECT now64(3), concat('deployment-', toString(number)), toString(number), 1, toString(number),
    'windows', 'drift', 'f1',
        'champion', 'firing', 'fail', 'high', 1, 'said so', '1', '1d', toDateTime64('{start}', 3, 'UTC'),
        toDateTime64('{start}', 3, 'UTC') + toIntervalDay(1), toDateTime64('{start}', 3, 'UTC'), now64(3)
    FROM numbers(3)""",
    """INSERT INTO advice (arrived, deployment, model_version, slot, id, resolution, window_start, window_end, advice,
        reasons.code, reasons.sentence, since, labels, coverage, made_at)
    SELECT now64(3), concat('deployment-', toString(number)), '1', 'champion', toString(number), '1d',
        toDateTime64('{start}', 3, 'UTC'), toDateTime64('{start}', 3, 'UTC') + toIntervalDay(1), 'watch', ['why'],
        ['It fell.'], toDateTime64('{start}', 3, 'UTC'), 100, 0.5, now64(3)
    FROM numbers(3)""",
    f"""INSERT INTO audit (arrived, seq, prev_hash, digest, event, decided_at, op, actor, approvers, deployment, model,
        model_version, revision_after, tier, reject, reasons)
    SELECT now64(3), number, toString(number - 1), toString(number),
        ['{EVENTS["decided"]}', '{EVENTS["rejected"]}'][1 + number % 2],
        toDateTime64('{{start}}', 3, 'UTC') + toIntervalHour(number), 'promote', 'ana', ['bo', 'cy'],
        concat('deployment-', if(number = 40, 'new', '1')),
        'churn', '1', number, 'high', ['', '{REFUSED}'][1 + number % 2], ['because']
    FROM numbers(1, 40)""",
    """INSERT INTO acks (arrived, kind, installation, instance, boot_id, deployment, revision, outcome,
        reason, at, seconds)
    SELECT now64(3), ['ack', 'heartbeat'][1 + number % 2], 'house', concat('agent-', toString(number % 2)),
    'b', 'deployment-1',
        number, 'failed', 'digest differs', toDateTime64('{start}', 3, 'UTC') + toIntervalHour(number), 0.5
    FROM numbers(40)""",
    """INSERT INTO blocks (topic, topic_id, partition, first, last, records, rows, duplicates, refused, newest,
        written_at)
    SELECT 'predictions', 't', 0, number, number, 1, 500, number % 2, number % 3,
        toDateTime64('{start}', 3, 'UTC') + toIntervalMinute(number),
        toDateTime64('{start}', 3, 'UTC') + toIntervalMinute(number) + toIntervalSecond(2)
    FROM numbers(100)""",
    f"""INSERT INTO dead_letters (arrived, topic, partition, offset, state, reason, detail, refused_at, version)
    SELECT now64(3), 'predictions', 0, number, '{OPEN}', 'unknown_schema', 'no such fingerprint',
        toDateTime64('{{start}}', 3, 'UTC') + toIntervalHour(number), 1
    FROM numbers(5)""",
    """INSERT INTO emitters (deployment, instance, epoch, topic, model_version, slot, heartbeat_at, started_at,
        heartbeat_ms, next_seq, enqueued, delivered, version, arrived)
    SELECT concat('deployment-', ['0', '1', '2', 'old'][1 + number]), 'host.1', 1, 'predictions', '1',
        'champion', now64(3), now64(3),
        10000, 2, 1000, 990, 1, now64(3)
    FROM numbers(4)""",
)


def fill(settings: Settings, deployments: int, days: int) -> tuple[datetime, datetime]:
    """Write daily windows of `deployments` over `days`, and for some of them whatever else a panel reads.

    Returns the time that all of it lies in: the newest windows are some days old, so that no retention takes them.
    """
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
    begin = end - timedelta(days=days)
    start = begin.strftime("%Y-%m-%d")
    columns = ", ".join(f"figures.{name}" for name, _ in _FIGURE_COLUMNS)
    arrays = ", ".join(f"arrayMap(one -> one.{place}, every)" for _, place in _FIGURE_COLUMNS)
    with Client(settings.clickhouse) as client:
        for role, labels, figures in (("", 0, _DRIFT_FIGURES), ("accuracy", 1800, _TRUTH_FIGURES)):
            words = {"columns": columns, "arrays": arrays, "figures": figures, "role": role, "labels": labels}
            client.command(_WINDOWS.format(**words, start=start, deployments=deployments, days=days))
        for statement in _REST:
            client.command(statement.format(start=start))
    return begin - timedelta(days=1), end + timedelta(days=1)
