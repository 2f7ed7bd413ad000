"""One board over a filled ClickHouse of its own, and one Chromium, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from board_browser import Browser, chromium
from board_world import World, world
from filled_tables import fill


@pytest.fixture(scope="session")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Start a board over three deployments of a month."""
    with world(tmp_path_factory.mktemp("board"), partial(fill, deployments=3, days=30)) as running:
        yield running


@pytest.fixture(scope="session")
def chrome() -> Iterator[Browser]:
    """Start a Chromium."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def browser(chrome: Browser) -> Browser:
    """Give the Chromium as it was at its start: wide, light, without a memory."""
    chrome.look()
    return chrome
