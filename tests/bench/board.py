"""Board: how long the panels of each dashboard take on 500 deployments with 30 days of windows.

Windows are made by ClickHouse itself, 85 figures for drift and 24 for performance each. A panel is asked as the board
asks it, over HTTP with parameters, the median of five; a dashboard's panels one after another.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from driftline.deploy.board.panels import DASHBOARDS
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.migrate import migrate

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from filled_tables import fill

DEPLOYMENTS = 500
DAYS = 30
ROUNDS = 5
PANEL_MS = 300.0
FLEET_MS = 1_500.0


def run(context: Any) -> list[dict[str, Any]]:
    """Measure; `context.settings` reach a running stack."""
    access = msgspec.structs.replace(context.settings.clickhouse, database=f"board{time.time_ns()}")
    settings = msgspec.structs.replace(context.settings, clickhouse=access)
    migrate(settings)
    begin, end = fill(settings, DEPLOYMENTS, DAYS)
    every = [f"deployment-{number}" for number in range(DEPLOYMENTS)]
    rows, slowest = [], (0.0, "")
    with Client(access) as client:
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
        client.command(f"DROP DATABASE {access.database}")
    rows.append(_row(f"board: slowest panel ({slowest[1]})", slowest[0], PANEL_MS))
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
