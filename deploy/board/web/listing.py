"""Listing: what the page is told of the dashboards: everything but their SQL."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from driftline.deploy.board.panels import DASHBOARDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.deploy.board.panel import Dashboard, Panel

_LIMIT: Final = re.compile(r"\bLIMIT (\d+)\s*\Z")


@cache
def boards() -> dict[str, Dashboard]:
    """Give the dashboards by name."""
    return {board.name: board for board in DASHBOARDS}


@cache
def panels() -> dict[tuple[str, str], Panel]:
    """Give the panels by the names of dashboard and panel."""
    return {(board.name, panel.name): panel for board in DASHBOARDS for panel in board.panels}


def is_annotated(board: Dashboard) -> bool:
    """Say whether changes and alerts are marked on a dashboard."""
    return any(variable.name == "deployment" for variable in board.variables)


def listing(*, needs_token: bool, runbooks: str) -> bytes:
    """Give the list of dashboards as JSON, and whether one can log out.

    Args:
        needs_token: one logs in with a token.
        runbooks: where the pages of docs/runbooks/ are served; "" where nowhere.
    """
    return msgspec.json.encode(
        {"boards": [_board(board, runbooks) for board in DASHBOARDS], "needs_token": needs_token}
    )


def _board(board: Dashboard, runbooks: str) -> dict[str, Any]:
    return {
        "name": board.name,
        "title": board.title,
        "purpose": board.purpose,
        "annotated": is_annotated(board),
        "variables": [
            {"name": one.name, "label": one.label, "many": one.many, "needs": _needs(one.parameters)}
            for one in board.variables
        ],
        "panels": [
            {**_panel(panel), "runbook": board.runbook(panel, runbooks) if runbooks else None}
            for panel in board.panels
        ],
    }


def _needs(parameters: Mapping[str, str]) -> list[str]:
    return sorted(set(parameters) - {"from", "to"})


def _panel(panel: Panel) -> dict[str, Any]:
    limit = _LIMIT.search(panel.sql)
    return {
        "name": panel.name,
        "title": panel.title,
        "question": panel.question,
        "kind": panel.kind.value,
        "unit": panel.unit,
        "empty": panel.empty,
        "thresholds": [{"level": one.level.value, "value": one.value} for one in panel.thresholds],
        "width": panel.width,
        "height": panel.height,
        "links": dict(panel.links),
        "limit": int(limit[1]) if limit else None,
        "needs": _needs(panel.parameters),
    }
