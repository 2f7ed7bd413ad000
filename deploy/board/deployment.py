"""Deployment: one deployment from its inputs to what became of its answers."""

from __future__ import annotations

from typing import Final

from driftline.deploy.board.chosen import HERE, LINE, chosen, lines, states
from driftline.deploy.board.panel import Dashboard, Kind, Level, Panel, Threshold
from driftline.deploy.board.variables import ONE_DEPLOYMENT, RESOLUTION, VERSION

VERDICTS: Final = Panel(
    title="Verdicts",
    question="What went wrong when: inputs, their quality, answers, or their truth?",
    sql=states(
        f"concat({LINE}, ': ', kind, if(segment = '', '', ' of segments'))",
        "kind IN ('drift', 'prediction', 'quality', 'performance', 'fairness', 'estimate')",
    ),
    kind=Kind.STATES,
    empty="No window in this time carries a verdict: is there a profile for this version?",
    width=24,
    height=9,
)
DRIFT: Final = Panel(
    title="Drift of the inputs",
    question="How far has each input moved from the reference (PSI)?",
    sql=lines("feature", "kind = 'drift' AND metric = 'psi' AND segment = ''"),
    kind=Kind.SERIES,
    empty="No input has a distance: is there a profile for this version?",
)
WORST_FEATURES: Final = Panel(
    title="Inputs that moved",
    question="Which inputs are beyond what chance and season explain, and how sure is that?",
    sql=f"""
SELECT feature, segment, metric, value, floor, threshold_null AS chance, block AS season, verdict, reason,
    window_start, figure_rows AS rows
FROM {
        chosen(
            "kind IN ('drift', 'prediction', 'quality') AND verdict IN ('warn', 'fail')",
            *("value", "floor", "threshold_null", "block", "verdict", "reason", "figure_rows"),
        )
    }
ORDER BY window_start DESC, verdict = 'fail' DESC, value DESC
LIMIT 200
""",
    kind=Kind.TABLE,
    empty="No input warns or fails in this time.",
    links={"feature": "feature"},
)
PREDICTION: Final = Panel(
    title="Drift of the answers",
    question="Have the model's own scores moved from the reference (PSI)?",
    sql=lines(f"concat({LINE}, ': ', feature)", "kind = 'prediction' AND metric = 'psi' AND segment = ''"),
    kind=Kind.SERIES,
    empty="No score has a distance: is there a profile for this version?",
)
PERFORMANCE: Final = Panel(
    title="Performance, its estimate, and the reference",
    question="Does the model still do its job, as labels say and as its scores suggest?",
    sql=lines(
        f"concat({LINE}, ': ', metric, multiIf(kind = 'estimate', ' estimated', provisional, ' provisional', ''))",
        "kind IN ('performance', 'estimate') AND segment = ''"
        " AND metric IN ('auc', 'log_loss', 'accuracy', 'f1_macro', 'rmse', 'mae')",
    ),
    kind=Kind.SERIES,
    empty="No window in this time has labels, and no score gives an estimate.",
)
PRIMARY: Final = Panel(
    title="Performance that is judged",
    question="How sure is it that the model is worse than its reference?",
    sql=f"""
SELECT window_start, model_version AS version, slot, kind, metric, value, low, high, block AS reference, floor,
    verdict, reason, labels, labels / window_rows AS coverage, provisional, restated
FROM {
        chosen(
            "kind IN ('performance', 'estimate') AND segment = '' AND verdict != ''",
            *("value", "low", "high", "floor", "block", "verdict", "reason"),
        )
    }
ORDER BY window_start DESC, kind DESC, metric
LIMIT 200
""",
    kind=Kind.TABLE,
    empty="No window in this time is judged by its labels.",
)
COVERAGE: Final = Panel(
    title="How much of the truth is known",
    question="What share of the predictions has a label by now?",
    sql=f"""
SELECT window_start AS time, {LINE} AS line, sum(labels) / sum(rows) AS value
FROM windows FINAL
WHERE {HERE} AND role = 'accuracy' AND rows > 0
GROUP BY time, line
ORDER BY time, line
LIMIT 20000
""",
    kind=Kind.SERIES,
    empty="No window in this time waits for labels.",
    unit="percentunit",
)
DELAY: Final = Panel(
    title="How long labels take",
    question="After what time is the truth known (median and 90 %)?",
    sql=f"""
SELECT window_start AS time, concat({LINE}, ': ', tupleElement(delay, 1)) AS line, max(tupleElement(delay, 2)) AS value
FROM windows FINAL
ARRAY JOIN [('median', delay_p50_s), ('90 %', delay_p90_s)] AS delay
WHERE {HERE} AND role = 'accuracy' AND tupleElement(delay, 2) IS NOT NULL
GROUP BY time, line
ORDER BY time, line
LIMIT 20000
""",
    kind=Kind.SERIES,
    empty="No label has come in this time.",
    unit="s",
)
RATE: Final = Panel(
    title="Predictions a second",
    question="How much is asked of each version?",
    sql=lines(LINE, "kind = 'health' AND metric = 'rate'"),
    kind=Kind.SERIES,
    empty="No prediction in this time.",
    unit="cps",
)
ERRORS: Final = Panel(
    title="Errors",
    question="What share of the answers were errors, by status?",
    sql=lines(f"concat({LINE}, ': ', metric)", "kind = 'health' AND startsWith(metric, 'errors')"),
    kind=Kind.SERIES,
    empty="No prediction in this time told its status.",
    unit="percentunit",
    thresholds=(Threshold(Level.OK), Threshold(Level.WARN, 0.01), Threshold(Level.FAIL, 0.05)),
)
LATENCY: Final = Panel(
    title="Latency",
    question="How long do callers wait (median, 95 %, 99 %; within 1 %)?",
    sql=lines(
        f"concat({LINE}, ': ', replaceOne(metric, 'latency_', ''))",
        "kind = 'health' AND metric IN ('latency_p50', 'latency_p95', 'latency_p99')",
    ),
    kind=Kind.SERIES,
    empty="No prediction in this time told its latency.",
    unit="ms",
)
SERVING: Final = Panel(
    title="What serves",
    question="Which versions answered last, and in which slot?",
    sql=f"""
SELECT model_version AS version, slot, max(window_end) AS until, argMax(windows.rows, window_end) AS rows,
    argMax(settings_revision, window_end) AS settings_revision
FROM windows FINAL
WHERE {HERE} AND role = '' AND windows.rows > 0
GROUP BY version, slot
ORDER BY until DESC, slot, version
LIMIT 50
""",
    kind=Kind.TABLE,
    empty="No version answered in this time.",
)
ALERTS: Final = Panel(
    title="Alerts",
    question="What was told, to whom, and did somebody take it?",
    sql="""
SELECT state, severity, about, name, segment, slot, model_version AS version, reason, since, made_at,
    acknowledged_by, comment, runbook
FROM alerts_now
WHERE deployment IN {deployment:Array(String)} AND model_version IN {version:Array(String)}
    AND since < {to:DateTime64(3, 'UTC')} AND (state = 'firing' OR window_end > {from:DateTime64(3, 'UTC')})
ORDER BY state = 'firing' DESC, priority DESC, since DESC
LIMIT 200
""",
    kind=Kind.TABLE,
    empty="Nothing was told in this time.",
)
LATE: Final = Panel(
    title="Late rows",
    question="How many rows came after their window was counted?",
    sql=f"""
SELECT window_start AS time, {LINE} AS line, max(late_rows) AS value
FROM windows FINAL
WHERE {HERE} AND role = ''
GROUP BY time, line
ORDER BY time, line
LIMIT 20000
""",
    kind=Kind.SERIES,
    empty="No window in this time.",
    unit="short",
    width=24,
)

DEPLOYMENT_BOARD: Final = Dashboard(
    name="deployment",
    title="Deployment",
    purpose="Its owner and whoever was woken for it: what moved, does it still do its job, what serves.",
    variables=(RESOLUTION, ONE_DEPLOYMENT, VERSION),
    panels=(
        VERDICTS, SERVING, ALERTS, PERFORMANCE, PRIMARY, COVERAGE, DELAY, DRIFT, WORST_FEATURES, PREDICTION,
        RATE, ERRORS, LATENCY, LATE,
    ),
)  # fmt: skip
