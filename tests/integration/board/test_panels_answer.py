"""Every panel on a real ClickHouse, as Grafana's plugin would send it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from filled_tables import fill

from driftline.deploy.board.fleet import FLEET
from driftline.deploy.board.panel import Kind, Panel
from driftline.deploy.board.panels import DASHBOARDS
from driftline.deploy.board.query import grafana_sql
from driftline.schemas.settings import Settings
from driftline.streams.clickhouse.client import Client

LONG_AGO = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 2, 1, tzinfo=UTC))
CHOICES = {
    "deployment": ["deployment-0", "deployment-1", "it's"],
    "version": ["1"],
    "resolution": ["1d"],
    "segment": ["region"],
}
# Panels that read raw rows are asked for the feature of their type.
FEATURES = {"Its levels over time": "f2"}


def expanded(sql: str, feature: str, shown: tuple[datetime, datetime] = LONG_AGO) -> str:
    """What the plugin and Grafana send for a statement: macros expanded, choices quoted as Grafana quotes them."""
    for macro, at in zip(("$__fromTime_ms", "$__toTime_ms"), shown, strict=True):
        sql = sql.replace(macro, f"fromUnixTimestamp64Milli({int(at.timestamp() * 1000)})")

    def quoted(found: re.Match[str]) -> str:
        chosen = CHOICES.get(found[1], [feature])
        return ",".join("'" + one.replace("'", "\\'") + "'" for one in chosen)

    return re.sub(r"\$\{(\w+):singlequote\}", quoted, sql)


def answer(
    client: Client, panel: Panel, shown: tuple[datetime, datetime] = LONG_AGO
) -> tuple[list[str], list[dict[str, Any]]]:
    """Column names and rows of a panel."""
    rows = client.query(expanded(grafana_sql(panel.sql), FEATURES.get(panel.title, "f1"), shown))
    return list(rows[0]) if rows else [], rows


def test_every_panel_answers_from_full_tables_and_from_empty_ones(lane: Settings) -> None:
    """With data each panel has rows of the form its kind says, in order of time; without any it is empty."""
    panels = [panel for board in DASHBOARDS for panel in board.panels]
    variables = [variable for board in DASHBOARDS for variable in board.variables]
    with Client(lane.clickhouse) as client:
        for panel in panels:
            columns, rows = answer(client, panel)
            # A number of nothing is no number: 0 looks as if all were well.
            told = [row for row in rows if panel.kind is not Kind.STAT or any(row.values())]
            told += [row for row in rows if 0 in row.values()]
            assert not told or panel.title == "Storage", panel.title
        shown = fill(lane, deployments=3, days=30)
        for variable in variables:
            rows = client.query(expanded(grafana_sql(variable.sql), "f1", shown))
            assert [list(row) for row in rows] == [["value"]] * len(rows)
            assert rows, variable.name
        for panel in panels:
            columns, rows = answer(client, panel, shown)
            assert rows, panel.title
            if panel.kind in (Kind.SERIES, Kind.STATES):
                check_series(panel, columns, rows)
            if panel.kind is Kind.STAT:
                assert len(rows) == 1, panel.title


def check_series(panel: Panel, columns: list[str], rows: list[dict[str, Any]]) -> None:
    """Hold that time comes first and in order, that labels are strings, and that values are numbers."""
    assert columns[0] == "time", panel.title
    assert columns[-1] == "value", panel.title
    times = [row["time"] for row in rows]
    assert times == sorted(times), panel.title
    for row in rows:
        assert all(isinstance(row[label], str) for label in columns[1:-1]), panel.title
        assert isinstance(row["value"], int | float), panel.title
    if panel.kind is Kind.STATES:
        assert {row["value"] for row in rows} <= {0, 1, 2, 3}, panel.title


def test_the_fleet_is_judged_by_closed_windows(lane: Settings) -> None:
    """A day that has only begun is inconclusive by nature and changes no verdict of the fleet, where one has closed."""
    shown = fill(lane, deployments=2, days=3)
    fleet = [panel for panel in FLEET.panels if panel.title.startswith("Deployments")]
    with Client(lane.clickhouse) as client:
        before = [answer(client, panel, shown)[1] for panel in fleet]
        client.command(
            """INSERT INTO windows SELECT * REPLACE (window_end AS window_start, false AS final,
                window_end + INTERVAL 1 DAY AS window_end,
                arrayMap(one -> 'inconclusive', figures.verdict) AS `figures.verdict`)
            FROM (SELECT * FROM windows FINAL WHERE (deployment, role, window_start) IN
                (SELECT deployment, role, max(window_start) FROM windows GROUP BY deployment, role))"""
        )
        begun = (shown[0], shown[1] + timedelta(days=2))
        assert [answer(client, panel, begun)[1] for panel in fleet] == before
        assert "inconclusive" not in {row["drift"] for row in before[1]}


def test_who_picks_what_does_not_exist_sees_nothing(lane: Settings) -> None:
    """Panels of a deployment that does not exist are empty: no statement widens what was picked."""
    shown = fill(lane, deployments=2, days=2)
    with Client(lane.clickhouse) as client:
        for panel in (panel for board in DASHBOARDS for panel in board.panels):
            if "deployment" not in panel.parameters or panel.kind is Kind.STAT:
                continue
            sql = grafana_sql(panel.sql).replace("${deployment:singlequote}", "'nobody'")
            assert not client.query(expanded(sql, "f1", shown)), panel.title


def test_what_has_no_window_can_be_picked_where_it_is_told_of(lane: Settings) -> None:
    """Changes of a model that nobody has asked yet, and books of an emitter of another time, are shown with all."""
    shown = fill(lane, deployments=2, days=2)
    with Client(lane.clickhouse) as client:
        offered = {
            board.name: {
                row["value"]
                for variable in board.variables
                if variable.name == "deployment"
                for row in client.query(expanded(grafana_sql(variable.sql), "f1", shown))
            }
            for board in DASHBOARDS
        }
    seen = {"deployment-0", "deployment-1"}
    assert offered["fleet"] == seen
    assert offered["change"] == seen | {"deployment-new"}
    assert offered["pipeline"] == seen | {"deployment-2", "deployment-old"}
