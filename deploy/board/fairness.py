"""Fairness: how a model treats the values of a declared segment."""

from __future__ import annotations

from typing import Final

from driftline.deploy.board.chosen import chosen, lines, states
from driftline.deploy.board.panel import Dashboard, Kind, Level, Panel, Threshold
from driftline.deploy.board.variables import ONE_DEPLOYMENT, RESOLUTION, SEGMENT, VERSION
from driftline.streams.stats.fairness import MINIMUM

_PICKED: Final = "kind = 'fairness' AND feature IN {segment:Array(String)}"


def _rates(metric: str, title: str, question: str) -> Panel:
    """Give the panel of one rate by value of the segment."""
    return Panel(
        title=title,
        question=question,
        sql=lines("segment", f"{_PICKED} AND metric = '{metric}' AND segment != ''"),
        kind=Kind.SERIES,
        empty="No window in this time has this rate: are segments declared, and labels there?",
        unit="percentunit",
    )


CRITERIA: Final = Panel(
    title="Criteria",
    question="Which named criterion of fairness fails beyond chance?",
    sql=states("concat(feature, ': ', replaceAll(metric, '_', ' '))", _PICKED),
    kind=Kind.STATES,
    empty="No window in this time judges a criterion: are segments declared?",
    width=24,
    height=7,
)
RATIOS: Final = Panel(
    title="Ratio to the most favoured value",
    question="How far are values of 100 rows and more apart (selection rate; four fifths is the line)?",
    sql=lines(
        "segment",
        f"{_PICKED} AND metric = 'selection_rate_ratio' AND figure_rows >= {MINIMUM}",
        "figure_rows",
    ),
    kind=Kind.SERIES,
    empty="No window in this time has this ratio of a value with 100 rows.",
    unit="percentunit",
    thresholds=(Threshold(Level.FAIL), Threshold(Level.OK, 0.8)),
)
GROUPS: Final = Panel(
    title="Values of the segment",
    question="How many rows stand behind each rate, and how sure is it?",
    sql=f"""
SELECT window_start, model_version AS version, slot, feature, segment, metric, value, low, high, figure_rows AS rows,
    verdict, reason
FROM {
        chosen(
            f"{_PICKED} AND value IS NOT NULL"
            " AND NOT endsWith(metric, '_difference') AND NOT endsWith(metric, '_ratio')",
            *("value", "low", "high", "verdict", "reason", "figure_rows"),
        )
    }
ORDER BY window_start DESC, feature, metric, value
LIMIT 300
""",
    kind=Kind.TABLE,
    empty="No window in this time has values of a declared segment.",
)

FAIRNESS: Final = Dashboard(
    name="fairness",
    title="Fairness",
    purpose="Owners and auditors: whom the model treats differently, by how much, and how sure that is.",
    variables=(RESOLUTION, ONE_DEPLOYMENT, VERSION, SEGMENT),
    panels=(
        CRITERIA,
        _rates("selection_rate", "Selection rate", "What share of each value is told yes?"),
        RATIOS,
        _rates("tpr", "True positive rate", "Of those who deserve a yes, what share gets it?"),
        _rates("fpr", "False positive rate", "Of those who deserve a no, what share is told yes?"),
        _rates("ppv", "Positive predictive value", "Of those told yes, what share deserved it?"),
        GROUPS,
    ),
)
