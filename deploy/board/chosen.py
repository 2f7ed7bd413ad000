"""Some figures of some windows, as a table: chosen inside their arrays, before rows are made of them.

The view `figures` makes a row of each figure of a window and then chooses; a year of days of one deployment took it
twenty times as long. It stays for people, who ask for what they like.
"""

from __future__ import annotations

from typing import Final

HERE: Final = """deployment IN {deployment:Array(String)} AND model_version IN {version:Array(String)}
        AND resolution = {resolution:String} AND run = 'live'
        AND window_start >= {from:DateTime64(3, 'UTC')} AND window_start < {to:DateTime64(3, 'UTC')}"""
"""The windows of the deployments, versions and resolution picked, in the time shown."""

CODE: Final = "transform(verdict, ['ok', 'inconclusive', 'warn', 'fail'], [0, 1, 2, 3], -1)"
"""A verdict as its number in `VERDICT_CODES`; -1 without one."""

LINE: Final = "concat(model_version, if(slot = 'champion', '', concat(' ', slot)))"
"""A line's name: the version alone, unless it answered elsewhere than in the champion's slot."""

_OF_FIGURE: Final = {
    "kind": "figures.kind",
    "feature": "figures.feature",
    "metric": "figures.metric",
    # Columns that came with a later migration: older rows hold none of them.
    "segment": "arrayResize(figures.segment, length(figures.kind))",
    "value": "figures.value",
    "low": "arrayResize(figures.low, length(figures.kind))",
    "high": "arrayResize(figures.high, length(figures.kind))",
    "floor": "figures.floor",
    "threshold_null": "figures.threshold_null",
    "block": "figures.block",
    "verdict": "figures.verdict",
    "reason": "figures.reason",
    "figure_rows": "figures.rows",
}
_ALWAYS: Final = frozenset(("kind", "feature", "metric", "segment"))
_OF_WINDOW: Final = (
    "deployment, model_version, slot, window_start, window_end, window_rows, labels, provisional, restated"
)


def chosen(condition: str, *columns: str) -> str:
    """Give a table of figures, to stand after FROM.

    Args:
        condition: which figures, over kind, feature, metric, segment and the columns named.
        columns: what else of a figure is wanted: value, low, high, floor, threshold_null, block, verdict, reason or
            figure_rows (the rows it rests on).
    """
    wanted = {name: array for name, array in _OF_FIGURE.items() if name in _ALWAYS or name in columns}
    arrays = ", ".join(f"{array} AS {name}_all" for name, array in wanted.items())
    kept = ", ".join(
        f"arrayFilter((one, is_kept) -> is_kept, {name}_all, mask) AS {name}_kept" for name in wanted
    )
    return f"""(
    SELECT {_OF_WINDOW}, {", ".join(wanted)}
    FROM
    (
        SELECT {_OF_WINDOW}, {arrays},
            arrayMap(({", ".join(wanted)}) -> {condition}, {", ".join(f"{name}_all" for name in wanted)}) AS mask,
            {kept}
        FROM (SELECT *, rows AS window_rows FROM windows FINAL WHERE {HERE})
    )
    ARRAY JOIN {", ".join(f"{name}_kept AS {name}" for name in wanted)}
)"""


def lines(name: str, condition: str, *columns: str) -> str:
    """Give the statement of a SERIES: the value of each figure that is one, a line for each `name`; see `chosen`."""
    return f"""
SELECT window_start AS time, {name} AS line, max(figure.value) AS value
FROM {chosen(f"({condition}) AND value IS NOT NULL", "value", *columns)} AS figure
GROUP BY time, line
ORDER BY time, line
LIMIT 20000
"""


def states(name: str, condition: str) -> str:
    """Give the statement of STATES: the worst verdict of the figures that have one, a row for each `name`."""
    return f"""
SELECT window_start AS time, {name} AS subject, max({CODE}) AS value
FROM {chosen(f"({condition}) AND verdict != ''", "verdict")}
GROUP BY time, subject
HAVING value >= 0
ORDER BY time, subject
LIMIT 20000
"""
