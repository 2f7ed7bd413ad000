"""Fleet: every deployment at a glance, worst first."""

from __future__ import annotations

from typing import Final

from driftline.deploy.board.chosen import CODE
from driftline.deploy.board.panel import Dashboard, Kind, Level, Panel, Threshold
from driftline.deploy.board.variables import DEPLOYMENT, RESOLUTION

# The newest window of each deployment, version, slot and role that holds rows, with the worst verdict of each kind: a
# closed one where there is one, for an open one has too few rows most of its time. Which ones those are is asked first,
# of small columns; PREWHERE names columns of the key alone, so that FINAL holds.
_NEWEST = """
    SELECT
        deployment, model_version, slot, role, window_end, rows, labels, final, provisional,
        arrayMax(arrayMap((kind, verdict) -> if(kind IN ('drift', 'prediction'), CODE, -1),
            figures.kind, figures.verdict)) AS drift,
        arrayMax(arrayMap((kind, verdict) -> if(kind = 'quality', CODE, -1),
            figures.kind, figures.verdict)) AS quality,
        arrayMax(arrayMap((kind, verdict) -> if(kind = 'performance', CODE, -1),
            figures.kind, figures.verdict)) AS performance
    FROM windows FINAL
    PREWHERE resolution = {resolution:String} AND run = 'live'
        AND (deployment, model_version, slot, role, window_start) IN
        (
            SELECT deployment, model_version, slot, role, argMax(window_start, (final, window_start))
            FROM windows FINAL
            WHERE deployment IN {deployment:Array(String)} AND resolution = {resolution:String} AND run = 'live'
                AND window_start < {to:DateTime64(3, 'UTC')} AND window_end > {from:DateTime64(3, 'UTC')} AND rows > 0
            GROUP BY deployment, model_version, slot, role
        )
""".replace("CODE", CODE)
# The worst verdict of a window: looked for in the whole array, not made of each of its elements.
_WORST = """multiIf(has(figures.verdict, 'fail'), 3, has(figures.verdict, 'warn'), 2,
        has(figures.verdict, 'inconclusive'), 1, has(figures.verdict, 'ok'), 0, -1)"""
_WORD = "transform({}, [0, 1, 2, 3], ['ok', 'inconclusive', 'warn', 'fail'], 'no verdict')"
_FIRING = """
    SELECT deployment, count() AS alerts
    FROM alerts_now
    WHERE state = 'firing'
    GROUP BY deployment
"""

WORST_FIRST: Final = Panel(
    title="Deployments, worst first",
    question="Which deployments need somebody now?",
    sql=f"""
SELECT
    newest.deployment AS deployment,
    newest.model_version AS version,
    newest.slot AS slot,
    {_WORD.format("max(newest.drift)")} AS drift,
    {_WORD.format("max(newest.quality)")} AS quality,
    {_WORD.format("max(newest.performance)")} AS performance,
    any(coalesce(firing.alerts, 0)) AS firing,
    any(coalesce(advised.advice, '')) AS advice,
    max(newest.rows) AS predictions,
    if(countIf(role = 'accuracy') = 0, NULL,
        sumIf(labels, role = 'accuracy') / sumIf(rows, role = 'accuracy')) AS coverage,
    max(window_end) AS newest_window
FROM ({_NEWEST}) AS newest
LEFT JOIN ({_FIRING}) AS firing ON newest.deployment = firing.deployment
LEFT JOIN
(
    SELECT deployment, model_version, slot, argMax(advice, (window_end, made_at)) AS advice
    FROM advice
    GROUP BY deployment, model_version, slot
) AS advised
    ON newest.deployment = advised.deployment AND newest.model_version = advised.model_version
    AND newest.slot = advised.slot
GROUP BY deployment, version, slot
ORDER BY greatest(max(newest.drift), max(newest.quality), max(newest.performance)) DESC, firing DESC,
    deployment, version, slot
LIMIT 500
""",
    kind=Kind.TABLE,
    empty="No deployment has a window with rows in this time.",
    width=24,
    height=12,
    links={"deployment": "deployment"},
)
COUNTS: Final = Panel(
    title="Deployments by their worst verdict",
    question="How many deployments fail, warn, or cannot be judged?",
    sql=f"""
SELECT
    countIf(worst = 3) AS fail,
    countIf(worst = 2) AS warn,
    countIf(worst = 1) AS inconclusive,
    countIf(worst = 0) AS ok,
    countIf(worst = -1) AS `no verdict`
FROM
(
    SELECT deployment, max(greatest(drift, quality, performance)) AS worst
    FROM ({_NEWEST})
    GROUP BY deployment
)
HAVING count() > 0
""",
    kind=Kind.STAT,
    empty="No deployment has a window with rows in this time.",
    width=16,
    height=4,
)
FIRING: Final = Panel(
    title="Alerts that fire",
    question="How many alerts fire and nobody has acknowledged them?",
    sql="""
SELECT countIf(state = 'firing') AS firing, countIf(state = 'firing' AND acknowledged_by = '') AS unacknowledged
FROM alerts_now
WHERE deployment IN {deployment:Array(String)}
HAVING count() > 0
""",
    kind=Kind.STAT,
    empty="No alert was ever made.",
    thresholds=(Threshold(Level.OK), Threshold(Level.WARN, 1)),
    width=8,
    height=4,
)
VERDICTS: Final = Panel(
    title="Worst verdict of each window",
    question="Since when does each deployment do badly?",
    sql=f"""
SELECT
    window_start AS time,
    deployment,
    max({_WORST}) AS value
FROM windows FINAL
WHERE deployment IN {{deployment:Array(String)}} AND resolution = {{resolution:String}} AND run = 'live'
    AND window_start >= {{from:DateTime64(3, 'UTC')}} AND window_start < {{to:DateTime64(3, 'UTC')}} AND rows > 0
GROUP BY time, deployment
HAVING value >= 0
ORDER BY time, deployment
LIMIT 20000
""",
    kind=Kind.STATES,
    empty="No window in this time carries a verdict.",
    width=24,
    height=10,
)
ROWS: Final = Panel(
    title="Predictions by deployment",
    question="Who is busy, and who has gone quiet?",
    sql="""
SELECT window_start AS time, deployment, sum(rows) AS value
FROM windows FINAL
WHERE deployment IN {deployment:Array(String)} AND resolution = {resolution:String} AND run = 'live' AND role = ''
    AND window_start >= {from:DateTime64(3, 'UTC')} AND window_start < {to:DateTime64(3, 'UTC')}
GROUP BY time, deployment
ORDER BY time, deployment
LIMIT 20000
""",
    kind=Kind.SERIES,
    empty="No window in this time.",
    unit="short",
)
ADVICE: Final = Panel(
    title="Advice",
    question="Which models are worth retraining, and why?",
    sql="""
SELECT deployment, model_version AS version, slot, advice, arrayStringConcat(reasons.sentence, ' ') AS why,
    window_start AS since_window, labels, coverage
FROM advice
WHERE deployment IN {deployment:Array(String)}
    AND window_start < {to:DateTime64(3, 'UTC')} AND window_end > {from:DateTime64(3, 'UTC')}
ORDER BY window_end DESC, made_at DESC
LIMIT 1 BY deployment, model_version, slot
LIMIT 100
""",
    kind=Kind.TABLE,
    empty="No window in this time has come to an advice.",
    links={"deployment": "deployment"},
)

FLEET: Final = Dashboard(
    name="fleet",
    title="Fleet",
    purpose="On call: which of all deployments needs somebody, and since when.",
    variables=(RESOLUTION, DEPLOYMENT),
    panels=(COUNTS, FIRING, WORST_FIRST, VERDICTS, ROWS, ADVICE),
)
