"""Grafana's dashboards: built from the list, and equal to those that lie in the tree."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from driftline.deploy.board.grafana import build
from driftline.deploy.board.panel import Dashboard
from driftline.deploy.board.panels import DASHBOARDS
from driftline.deploy.board.query import DATASOURCE, DATASOURCE_UID, grafana_sql

BUILT = Path(__file__).parents[3] / "deploy" / "grafana" / "dashboards"
# The macros that both current lines of the plugin know.
MACROS = {"fromTime", "toTime", "fromTime_ms", "toTime_ms", "timeFilter", "timeInterval", "interval_s"}
EVERY = pytest.mark.parametrize("board", DASHBOARDS, ids=[board.name for board in DASHBOARDS])


def statements(found: Any) -> list[str]:
    """Every `rawSql` in it."""
    if isinstance(found, dict):
        own = [found["rawSql"]] if "rawSql" in found else []
        return own + [sql for value in found.values() for sql in statements(value)]
    return [sql for value in found for sql in statements(value)] if isinstance(found, list) else []


@EVERY
def test_the_built_dashboard_in_the_tree_is_the_one_of_the_list(board: Dashboard) -> None:
    """Who changes a panel builds the dashboards again: `driftline dashboards build deploy/grafana/dashboards`."""
    assert (BUILT / f"{board.name}.json").read_text(encoding="utf-8") == build(board)


def test_no_built_dashboard_is_left_over() -> None:
    """Every file in the folder is built."""
    assert {path.stem for path in BUILT.glob("*.json")} == {board.name for board in DASHBOARDS}


@EVERY
def test_statements_hold_macros_the_plugin_knows_and_quoted_choices(board: Dashboard) -> None:
    """No parameter is left, each macro is one of both lines, each variable is quoted by Grafana."""
    found = statements(json.loads(build(board)))
    assert len(found) >= len(board.panels) + len(board.variables)
    for sql in found:
        assert not re.search(r"\{\w+:[A-Z]", sql)
        assert set(re.findall(r"\$__(\w+)", sql)) <= MACROS
        assert all(kind == "singlequote" for kind in re.findall(r"\$\{\w+:?(\w*)\}", sql))


@EVERY
def test_a_query_has_the_form_the_plugin_takes(board: Dashboard) -> None:
    """Its format is a number, its source is ours, and each panel has an id of its own."""
    panels = json.loads(build(board))["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(board.panels) + 1))
    for panel in panels:
        (target,) = panel["targets"]
        assert target["format"] in (0, 1)
        assert not isinstance(target["format"], bool)
        assert target["datasource"] == {"type": DATASOURCE, "uid": DATASOURCE_UID}
        assert panel["fieldConfig"]["defaults"]["noValue"]


@EVERY
def test_links_between_dashboards_keep_time_and_choices(board: Dashboard) -> None:
    """The list of dashboards above each one carries its time range and its variables along."""
    (link,) = json.loads(build(board))["links"]
    assert link["keepTime"] is True
    assert link["includeVars"] is True
    assert link["tags"] == ["driftline"]


def test_inconclusive_and_no_data_look_unlike_fine() -> None:
    """On a row of states the colours of ok, inconclusive, warn and fail differ, and nothing is drawn without data."""
    panels = json.loads(build(DASHBOARDS[0]))["panels"]
    (states,) = (panel for panel in panels if panel["type"] == "state-timeline")
    (mapping,) = states["fieldConfig"]["defaults"]["mappings"]
    colors = [option["color"] for option in mapping["options"].values()]
    assert len(set(colors)) == len(colors) == 4


def test_a_choice_with_a_quote_stays_a_string() -> None:
    """A list is written with Grafana's quoting, a single choice too: neither is put in bare."""
    sql = "SELECT 1 WHERE a IN {deployment:Array(String)} AND b = {resolution:String} AND t < {to:DateTime64(3, 'UTC')}"
    assert grafana_sql(sql) == (
        "SELECT 1 WHERE a IN (${deployment:singlequote}) AND b = ${resolution:singlequote} AND t < $__toTime_ms"
    )
