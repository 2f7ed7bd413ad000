"""For whom the model does its job: the rates of each airline month by month, and the criteria they are held against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from driftline.streams.clickhouse import reads

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings

RATES: Final = ("selection_rate", "tpr")
CRITERIA: Final = {"selection_rate": "four_fifths", "tpr": "equal_opportunity"}
"""Rate -> the criterion that is about it."""


def fairness_by_month(settings: Settings, deployment: str, segment: str) -> dict[str, dict[str, Any]]:
    """Read the rates of each value of a segment, and whether a criterion holds.

    Returns:
        Month (`2013-07`, UTC) -> rate of `RATES` -> `groups` (value -> {value, low, high, rows}), `criterion`,
        `verdict`, `reason`, and `value`, `low`, `high` of what the criterion looks at.
    """
    found: dict[str, dict[str, Any]] = {}
    names = (*RATES, *CRITERIA.values())
    wanted = reads.WindowFilter(resolution="1M", feature=segment, role="accuracy", metrics=names)
    for row in reads.windows(settings, deployment, wanted):
        if row["kind"] != "fairness":
            continue
        month = found.setdefault(f"{row['window_start']:%Y-%m}", {})
        figure = {name: row[name] for name in ("value", "low", "high")}
        if row["metric"] in RATES:
            groups = month.setdefault(row["metric"], {}).setdefault("groups", {})
            groups[row["segment"].partition("=")[2]] = figure | {"rows": row["rows"]}
        else:
            rate = next(rate for rate, name in CRITERIA.items() if name == row["metric"])
            said = {name: row[name] for name in ("verdict", "reason")}
            month.setdefault(rate, {}).update(figure | said | {"criterion": row["metric"]})
    return found
