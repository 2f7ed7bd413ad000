"""The list of panels: statements that can be bound, drawn and followed."""

from __future__ import annotations

import re

import pytest

from driftline.agents.audit.record import EFFECTIVE
from driftline.agents.control.controller.answers import ACKED
from driftline.deploy.board.annotations import ANNOTATIONS
from driftline.deploy.board.panel import PARAMETERS, Dashboard, Kind, Panel
from driftline.deploy.board.panels import DASHBOARDS

PANELS = [(board, panel) for board in DASHBOARDS for panel in board.panels]
NAMES = [f"{board.name}: {panel.title}" for board, panel in PANELS]
EVERY = pytest.mark.parametrize(("board", "panel"), PANELS, ids=NAMES)


@EVERY
def test_a_statement_asks_for_known_parameters_by_their_types(board: Dashboard, panel: Panel) -> None:
    """Each parameter is one of the list, of its type, and a time or something that can be picked above the panel."""
    picked = {variable.name for variable in board.variables}
    for name, type_ in panel.parameters.items():
        assert PARAMETERS[name] == type_
        assert name in picked | {"from", "to"}


@EVERY
def test_a_statement_is_one_select_of_clickhouse_alone(board: Dashboard, panel: Panel) -> None:
    """It starts as a query, holds no second statement, and no macro or variable of another tool."""
    assert re.match(r"\s*(SELECT|WITH)\b", panel.sql)
    assert ";" not in panel.sql
    assert "$" not in panel.sql
    assert "--" not in panel.sql
    del board


@EVERY
def test_what_is_drawn_over_time_is_in_its_order(board: Dashboard, panel: Panel) -> None:
    """A line or a row of states has a time and a value, and comes ordered by time: Grafana refuses it otherwise."""
    if panel.kind in (Kind.SERIES, Kind.STATES):
        assert re.search(r"\btime\b", panel.sql)
        assert "AS value" in panel.sql
        assert re.search(r"ORDER BY time\b[^)]*$", panel.sql)
    del board


@EVERY
def test_a_panel_says_what_it_answers_and_what_nothing_means(board: Dashboard, panel: Panel) -> None:
    """Its question is one, and an empty answer has a sentence of its own."""
    assert panel.question.rstrip(")").endswith(("?", "?)", "is."))
    assert panel.empty.endswith((".", "?"))
    del board


@EVERY
def test_a_link_leads_to_a_dashboard_that_takes_it(board: Dashboard, panel: Panel) -> None:
    """The column that is clicked is a variable of the dashboard it opens, and a column of the table."""
    boards = {one.name: one for one in DASHBOARDS}
    for column, target in panel.links.items():
        assert column in {variable.name for variable in boards[target].variables}
        assert re.search(rf"\b{column}\b", panel.sql)
    del board


def test_events_of_the_audit_are_called_as_it_calls_them() -> None:
    """An event that a statement asks for, or leaves out, is one that the controller writes."""
    statements = [one.sql for one in (*(panel for _, panel in PANELS), *ANNOTATIONS)]
    named = {name for sql in statements for name in re.findall(r"\bevent !?= '([^']+)'", sql)}
    assert named == {EFFECTIVE, ACKED}


def test_titles_tell_panels_apart() -> None:
    """Names of dashboards are unique, and so are the titles in each."""
    assert len({board.name for board in DASHBOARDS}) == len(DASHBOARDS)
    for board in DASHBOARDS:
        titles = [panel.title for panel in board.panels]
        assert len(set(titles)) == len(titles)


def test_a_choice_depends_on_those_before_it_alone() -> None:
    """A variable's choices ask for times and for variables that stand before it."""
    for board in DASHBOARDS:
        before = {"from", "to"}
        for variable in board.variables:
            assert set(re.findall(r"\{(\w+):", variable.sql)) <= before
            before.add(variable.name)


def test_rows_of_panels_fill_the_grid() -> None:
    """Panels laid side by side make rows of 24 cells and one height: no hole is left."""
    for board in DASHBOARDS:
        filled, height = 0, 0
        for panel in board.panels:
            height = height if filled else panel.height
            assert panel.height == height, f"{board.name}: {panel.title}"
            filled = (filled + panel.width) % 24
        assert filled == 0, board.name
