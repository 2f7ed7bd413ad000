"""Feature: one input of a model against its reference, over time."""

from __future__ import annotations

from typing import Final

from driftline.deploy.board.chosen import chosen, lines
from driftline.deploy.board.panel import Dashboard, Kind, Panel
from driftline.deploy.board.variables import FEATURE, ONE_DEPLOYMENT, RESOLUTION, VERSION

_LINE: Final = "concat(model_version, ' ', slot, ': ', metric)"
_ROWS: Final = """deployment IN {deployment:Array(String)} AND model_version IN {version:Array(String)}
        AND ts >= {from:DateTime64(3, 'UTC')} AND ts < {to:DateTime64(3, 'UTC')}"""
# About 60,000 raw rows of the time shown, chosen by their ids, and the place in time that each belongs to: one of 120.
_SAMPLE: Final = f"""(
    SELECT *,
        toStartOfInterval(ts, toIntervalSecond(greatest(toUInt32(
            dateDiff('second', {{from:DateTime64(3, 'UTC')}}, {{to:DateTime64(3, 'UTC')}}) / 120), 1))) AS time
    FROM predictions
    WHERE {_ROWS}
        AND cityHash64(prediction_id) % greatest((SELECT count() FROM predictions WHERE {_ROWS}) DIV 60000, 1) = 0
)"""

DISTANCES: Final = Panel(
    title="Distance from the reference",
    question="How far has it moved, and by which measure?",
    sql=lines(
        _LINE,
        "feature = {feature:String} AND kind IN ('drift', 'prediction') AND segment = ''"
        " AND metric IN ('psi', 'js', 'hellinger', 'ks')",
    ),
    kind=Kind.SERIES,
    empty="It has no distance in this time: is there a profile for this version?",
)
MOVED: Final = Panel(
    title="Movement in standard deviations of the reference",
    question="Which way did it move, and how far?",
    sql=lines(_LINE, "feature = {feature:String} AND segment = '' AND metric IN ('mean_sigma', 'w1_sigma')"),
    kind=Kind.SERIES,
    empty="It is not a number, or has no reference.",
)
LIMITS: Final = Panel(
    title="PSI and its limits",
    question="Is it more than chance, than the season of the reference, than matters?",
    sql=f"""
SELECT window_start AS time, tupleElement(bound, 1) AS line, max(tupleElement(bound, 2)) AS value
FROM {
        chosen(
            "feature = {feature:String} AND metric = 'psi' AND segment = ''",
            *("value", "threshold_null", "block", "floor"),
        )
    }
    AS figure
ARRAY JOIN [('psi', figure.value), ('chance', threshold_null), ('season', block), ('floor', floor)] AS bound
WHERE tupleElement(bound, 2) IS NOT NULL
GROUP BY time, line
ORDER BY time, line
LIMIT 20000
""",
    kind=Kind.SERIES,
    empty="It has no distance in this time: is there a profile for this version?",
)
QUALITY: Final = Panel(
    title="Quality",
    question="What share is null, of another type, out of range, or was never seen before?",
    sql=lines(_LINE, "feature = {feature:String} AND kind = 'quality'"),
    kind=Kind.SERIES,
    empty="No window in this time.",
    unit="percentunit",
)
QUANTILES: Final = Panel(
    title="Its values over time",
    question="What values does it take now (5, 25, 50, 75, 95 % of rows, of a sample)?",
    sql=f"""
SELECT time, tupleElement(found, 1) AS line, tupleElement(found, 2) AS value
FROM
(
    SELECT time, arrayZip(['05 %', '25 %', '50 %', '75 %', '95 %'],
        quantiles(0.05, 0.25, 0.5, 0.75, 0.95)(number)) AS every
    FROM
    (
        SELECT time, indexOf(JSONExtract(float_names, 'Array(String)'), {{feature:String}}) AS narrow,
            indexOf(JSONExtract(double_names, 'Array(String)'), {{feature:String}}) AS wide,
            multiIf(narrow > 0, toFloat64(floats[narrow]), wide > 0, doubles[wide], nan) AS number
        FROM {_SAMPLE}
    )
    WHERE isFinite(number)
    GROUP BY time
)
ARRAY JOIN every AS found
ORDER BY time, line
""",
    kind=Kind.SERIES,
    empty="It has no finite number in this time.",
)
LEVELS: Final = Panel(
    title="Its levels over time",
    question="What share does each level have now (the ten most frequent, of a sample)?",
    sql=f"""
WITH
    leveled AS
    (
        SELECT time, indexOf(JSONExtract(category_names, 'Array(String)'), {{feature:String}}) AS place,
            ifNull(categories[place], 'null') AS level
        FROM {_SAMPLE}
        WHERE place > 0
    ),
    frequent AS (SELECT level FROM leveled GROUP BY level ORDER BY count() DESC, level LIMIT 10)
SELECT time, line, counted / sum(counted) OVER (PARTITION BY time) AS value
FROM
(
    SELECT time, if(level IN (SELECT level FROM frequent), level, 'others') AS line, count() AS counted
    FROM leveled
    GROUP BY time, line
)
ORDER BY time, line
""",
    kind=Kind.SERIES,
    empty="It is not categorical, or has no row in this time.",
    unit="percentunit",
)
WINDOWS: Final = Panel(
    title="What each window says",
    question="Why is the verdict what it is?",
    sql=f"""
SELECT window_start, model_version AS version, slot, segment, metric, value, floor, threshold_null AS chance,
    block AS season, verdict, reason, figure_rows AS rows
FROM {
        chosen(
            "feature = {feature:String} AND verdict != ''",
            *("value", "floor", "threshold_null", "block", "verdict", "reason", "figure_rows"),
        )
    }
ORDER BY verdict = 'fail' DESC, verdict = 'warn' DESC, window_start DESC, segment, metric
LIMIT 300
""",
    kind=Kind.TABLE,
    empty="No window in this time judges it.",
    width=24,
)

FEATURE_BOARD: Final = Dashboard(
    name="feature",
    title="Feature",
    purpose="Whoever asks what happened to one input: its values, its quality, its distance from the reference.",
    variables=(RESOLUTION, ONE_DEPLOYMENT, VERSION, FEATURE),
    panels=(LIMITS, DISTANCES, MOVED, QUALITY, QUANTILES, LEVELS, WINDOWS),
)
