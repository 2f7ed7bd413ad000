"""What the demo leaves, on the board: every panel of every dashboard, asked of ClickHouse and drawn in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from board_browser import chromium
from board_world import World, world

from driftline.deploy.board.panels import DASHBOARDS
from driftline.streams.clickhouse.client import Client

pytestmark = pytest.mark.timeout(600)

YEAR = (datetime(2012, 12, 31, tzinfo=UTC), datetime(2014, 1, 3, tzinfo=UTC))
"""Events have the time of the flights; changes, alerts and the pipeline that of the clock."""
CLOCK = ("change", "pipeline")
REPLAYED = {
    "deployment": "flights",
    "version": "1",
    "resolution": "1d",
    "feature": "temp",
    "segment": "carrier",
}
SERVED = {**REPLAYED, "deployment": "flights-live", "version": "2"}
NEVER = {"refusals", "changes-that-an-agent-could-not-make", "dead-letters", "its-levels-over-time"}
"""Panels of what does not happen in the demo; and a temperature has no levels."""
UNSERVED = {"errors", "latency", "time-to-take-effect"}
"""Flights that are replayed have neither, and nobody changes what answered them."""


@pytest.fixture(scope="module")
def left(folder: Path) -> Iterator[World]:
    """A board over the demo's own tables, once all else has ended."""
    with world(folder, lambda _: YEAR) as running:
        yield running


def spans(name: str) -> tuple[datetime, datetime]:
    """The time that a dashboard's data lies in."""
    now = datetime.now(UTC)
    return (now - timedelta(hours=2), now + timedelta(minutes=1)) if name in CLOCK else YEAR


def rows_of(client: Client, name: str, picked: dict[str, str]) -> dict[str, int]:
    """Rows of each panel of a dashboard."""
    begin, end = spans(name)
    lists = {each: [picked[each]] for each in ("deployment", "version", "segment")}
    choices = {**picked, **lists, "from": f"{begin:%Y-%m-%d %H:%M:%S}", "to": f"{end:%Y-%m-%d %H:%M:%S}"}
    [board] = [each for each in DASHBOARDS if each.name == name]
    return {
        panel.name: len(client.query(panel.sql, {each: choices[each] for each in panel.parameters}))
        for panel in board.panels
    }


@pytest.mark.parametrize("name", [each.name for each in DASHBOARDS])
def test_every_panel_has_rows_of_the_demo(left: World, name: str) -> None:
    """Each panel has rows of the flights that were replayed or served, but those of what did not happen."""
    with Client(left.settings.clickhouse) as client:
        replayed, served = (rows_of(client, name, picked) for picked in (REPLAYED, SERVED))
    assert {panel for panel, rows in replayed.items() if not rows} == (NEVER | UNSERVED) & set(replayed)
    assert {panel for panel in UNSERVED & set(served) if not served[panel]} == set()


@pytest.mark.needs("chromium")
@pytest.mark.needs("chromedriver", "chromium-driver")
def test_every_page_draws_what_the_demo_left(left: World) -> None:
    """In a real Chromium the panels that have rows are drawn, the others say that they have none, and nothing errs."""
    with Client(left.settings.clickhouse) as client, chromium() as browser:
        browser.look()
        for board in DASHBOARDS:
            begin, end = spans(board.name)
            span = f"from={begin:%Y-%m-%dT%H:%MZ}&to={end:%Y-%m-%dT%H:%MZ}"
            picked = "&".join(f"{key}={value}" for key, value in REPLAYED.items())
            browser.open(f"{left.board.address}{board.name}?{span}&{picked}")
            rows = rows_of(client, board.name, REPLAYED)
            assert browser.states() == {panel: "shown" if count else "empty" for panel, count in rows.items()}
        assert browser.complaints() == []
