"""Runbooks of panels: each panel has a section that says what to do, and everything that shows it links there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from board_asgi import app, ask
from markdown.extensions.toc import slugify

from driftline.deploy.board.grafana import build
from driftline.deploy.board.panel import Dashboard
from driftline.deploy.board.panels import DASHBOARDS
from driftline.deploy.cli import main
from driftline.schemas.settings import load
from driftline.schemas.sources import SettingsError

ROOT = Path(__file__).parents[3]
PAGES = {
    path.stem: path.read_text(encoding="utf-8")
    for path in (ROOT / "docs" / "runbooks" / "panels").glob("*.md")
}
EVERY = pytest.mark.parametrize("board", DASHBOARDS, ids=[board.name for board in DASHBOARDS])
OWN = "https://ops.example/runbooks"


def sections(board: Dashboard) -> dict[str, str]:
    """The sections of a dashboard's page by their titles, in order."""
    parts = re.split(r"^## ", PAGES[board.name], flags=re.MULTILINE)[1:]
    return {title: text.strip() for title, text in (part.split("\n", 1) for part in parts)}


def addresses(board: Dashboard, base: str) -> list[str]:
    """Where the site (`make docs`) shows the sections of a dashboard's page, below `base`."""
    # Without urls of folders the page x.md is x.html.
    assert yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["use_directory_urls"] is False
    return [f"{base}/panels/{board.name}.html#{slugify(title, '-')}" for title in sections(board)]


def test_every_dashboard_has_a_page_and_no_page_is_left_over() -> None:
    """A page is called as its dashboard, and says so above."""
    assert PAGES.keys() == {board.name for board in DASHBOARDS}
    assert all(PAGES[board.name].startswith(f"# Panels of {board.title}\n") for board in DASHBOARDS)


@EVERY
def test_every_panel_has_a_section_and_no_section_is_left_over(board: Dashboard) -> None:
    """The sections of a page are the panels of its dashboard, in their order."""
    assert list(sections(board)) == [panel.title for panel in board.panels]


@EVERY
def test_a_section_says_what_to_look_at_and_what_to_do_in_a_few_lines(board: Dashboard) -> None:
    """First what it means, then where to look, then what to do, none of it empty; eight lines at most."""
    for title, text in sections(board).items():
        means, look, do = re.split(r"^- \*\*(?:Look at|Do)\*\*:", text, flags=re.MULTILINE)
        assert text.index("**Look at**") < text.index("**Do**"), title
        assert all(len(part.split()) > 2 for part in (means, look, do)), title
        assert 3 <= len([line for line in text.splitlines() if line]) <= 8, title


@EVERY
def test_grafana_links_each_panel_to_its_section(board: Dashboard) -> None:
    """The link of a panel is the address of its section, in a tab of its own."""
    links = [panel["links"] for panel in json.loads(build(board, OWN))["panels"]]
    assert [[link["url"] for link in each] for each in links] == [[place] for place in addresses(board, OWN)]
    assert all(link["type"] == "link" and link["targetBlank"] for each in links for link in each)


def listed(**settings: Any) -> list[list[str | None]]:
    """The runbooks that the board's page is told, by dashboard."""
    told = ask(app(**settings), "GET", "/api/boards").said["boards"]
    return [[panel["runbook"] for panel in board["panels"]] for board in told]


def test_the_board_links_each_panel_to_its_section() -> None:
    """The page is told the same addresses, below the one of the setting; without one it is told none."""
    assert listed(runbooks=f"{OWN}/") == [addresses(board, OWN) for board in DASHBOARDS]
    assert {one for board in listed() for one in board} == {None}


def test_a_runbook_is_no_script() -> None:
    """An address that a browser would run is refused where settings are read."""
    with pytest.raises(SettingsError, match="an address that begins with http:// or https://, or nothing"):
        load({"DRIFTLINE_BOARD_RUNBOOKS": "javascript:alert(1)"})


def test_an_installation_has_its_own_address(tmp_path: Path) -> None:
    """`--runbooks` is what the links of the built dashboards begin with."""
    assert main(["dashboards", "build", str(tmp_path), "--runbooks", OWN]) == 0
    for board in DASHBOARDS:
        text = (tmp_path / f"{board.name}.json").read_text(encoding="utf-8")
        assert re.findall(r'"url": "(http[^"]+)"', text) == addresses(board, OWN)
