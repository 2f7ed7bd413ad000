"""Query: a panel's statement as Grafana's ClickHouse data source takes it.

Times become the macros that the plugin's back end expands, which alerts can use too; choices become quoted lists of
Grafana's variables.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from grafana_foundation_sdk.cog import builder, variants

from driftline.deploy.board.panel import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

DATASOURCE: Final = "grafana-clickhouse-datasource"
"""Type of the data source's plugin."""
DATASOURCE_UID: Final = "driftline-clickhouse"
"""Of the data source as `deploy/grafana/provisioning` makes it."""
PLUGIN_VERSION: Final = "4.10.0"

SERIES_FORMAT: Final = 0
TABLE_FORMAT: Final = 1
_PARAMETER: Final = re.compile(r"\{(\w+):[^}]+\}")


class Query(builder.Builder[variants.Dataquery], variants.Dataquery):
    """A query of the ClickHouse data source, which the SDK does not know."""

    def __init__(self, sql: str, kind: Kind) -> None:
        """Keep the statement as Grafana sends it, and the form of the answer."""
        self._sql = sql
        self._format = SERIES_FORMAT if kind in (Kind.SERIES, Kind.STATES) else TABLE_FORMAT

    def build(self) -> Query:
        """Give itself: it is its own builder."""
        return self

    def to_json(self) -> dict[str, object]:
        """Give what Grafana stores of it; a `format` that is not a number is an error of the plugin."""
        return {
            "refId": "A",
            "datasource": {"type": DATASOURCE, "uid": DATASOURCE_UID},
            "editorType": "sql",
            "rawSql": self._sql,
            "format": self._format,
            "queryType": "timeseries" if self._format == SERIES_FORMAT else "table",
            "pluginVersion": PLUGIN_VERSION,
            "meta": {},
        }


def grafana_sql(sql: str, *, single: Sequence[str] = ("resolution", "feature")) -> str:
    """Give a panel's statement with macros and variables where its parameters are.

    Args:
        sql: with ClickHouse's parameters.
        single: parameters that take one choice, not a list.
    """

    def written(found: re.Match[str]) -> str:
        name = found[1]
        if name == "from":
            return "$__fromTime_ms"
        if name == "to":
            return "$__toTime_ms"
        # The format escapes quotes, as Grafana's default does not.
        chosen = f"${{{name}:singlequote}}"
        return chosen if name in single else f"({chosen})"

    return _PARAMETER.sub(written, sql).strip()
