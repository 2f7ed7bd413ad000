"""Board: how long dashboards take on 500 deployments with 30 days of windows.

Windows are made by ClickHouse itself, 85 figures for drift and 24 for performance each. A panel is asked as the board
asks it, over HTTP with parameters, the median of five; a dashboard's panels one after another. Then a real Chromium
opens pages, with nothing in its cache, until every panel is drawn; the median of five.
"""

from __future__ import annotations

import shutil
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from driftline.deploy.board.panels import DASHBOARDS
from driftline.streams.clickhouse.client import Client

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from board_browser import chromium
from board_world import World, world
from filled_tables import fill

DEPLOYMENTS = 500
DAYS = 30
ROUNDS = 5
PANEL_MS = 300.0
FLEET_MS = 1_500.0
# From the navigation to the last panel, as the page's own clocks have it.
TOOK_MS = "return Number(document.body.dataset.ready) - performance.timeOrigin"


def run(context: Any) -> list[dict[str, Any]]:
    """Measure, on a ClickHouse of its own below `context.folder`."""
    folder = context.folder / "board"
    shutil.rmtree(folder, ignore_errors=True)
    with world(folder, partial(fill, deployments=DEPLOYMENTS, days=DAYS)) as running:
        return [*_asked(running), *_opened(running)]


def _asked(running: World) -> list[dict[str, Any]]:
    """How long panels take in turn."""
    every = [f"deployment-{number}" for number in range(DEPLOYMENTS)]
    begin, end = running.shown
    rows, slowest = [], (0.0, "")
    with Client(running.settings.clickhouse) as client:
        for board in DASHBOARDS:
            # All deployments for whoever looks at the fleet, and one for whoever looks at one.
            picked = every if board.name in ("fleet", "pipeline", "change") else every[:1]
            choices = {
                "from": begin.strftime("%Y-%m-%d %H:%M:%S"),
                "to": end.strftime("%Y-%m-%d %H:%M:%S"),
                "deployment": picked,
                "version": ["1"],
                "resolution": "1d",
                "feature": "f1",
                "segment": ["region"],
            }
            whole_ms = 0.0
            for panel in board.panels:
                took_ms = []
                for _ in range(ROUNDS):
                    began = time.perf_counter()
                    client.query(panel.sql, {name: choices[name] for name in panel.parameters})
                    took_ms.append((time.perf_counter() - began) * 1_000)
                whole_ms += median(took_ms)
                slowest = max(slowest, (median(took_ms), f"{board.name}, {panel.title}"))
            target = FLEET_MS if board.name == "fleet" else None
            rows.append(_row(f"board: {board.name}, all panels in turn", whole_ms, target))
    rows.append(_row(f"board: slowest panel ({slowest[1]})", slowest[0], PANEL_MS))
    return rows


def _opened(running: World) -> list[dict[str, Any]]:
    """How long the pages take in a Chromium."""
    rows = []
    with chromium() as browser:
        for name, target in (("fleet", FLEET_MS), ("deployment", None)):
            took_ms = []
            for _ in range(ROUNDS):
                browser.look()
                browser.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
                browser.open(running.address(name))
                took_ms.append(float(browser.run(TOOK_MS)))
                bad = {panel: state for panel, state in browser.states().items() if state != "shown"}
                if bad:
                    raise RuntimeError(f"the page of {name} does not show all of it: {bad}")
            rows.append(_row(f"board: {name} opens in Chromium", median(took_ms), target))
    return rows


def _row(name: str, value_ms: float, target: float | None) -> dict[str, Any]:
    return {
        "name": name,
        "value": round(value_ms, 1),
        "unit": "ms",
        "baseline": None,
        "ratio": None,
        "target": target,
        "reached": None if target is None else value_ms <= target,
    }
