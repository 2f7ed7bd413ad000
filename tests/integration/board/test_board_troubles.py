"""What the board says when it has nothing to show: each kind of trouble in a real Chromium, in words."""

from __future__ import annotations

import pytest
from board_asgi import Told, app, serving
from board_browser import Browser
from board_world import World

from driftline.deploy.board.web.errors import NoFiguresError, Trouble

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.needs("chromedriver", "chromium-driver")]

TOKEN = "correct-horse-battery"  # noqa: S105 - opens nothing but what these tests make
BROKEN = ".broken"


def test_a_clickhouse_that_dies_and_comes_back(board: World, browser: Browser) -> None:
    """What was known stays, greyed, with its time; a new page says what is wrong; both mend without a reload."""
    browser.open(board.address("fleet", refresh="10s"))
    first = browser.driver.current_window_handle
    assert set(browser.states().values()) == {"shown"}
    marked = "return document.body.dataset.mark"
    browser.run("document.body.dataset.mark = 'same page'")
    board.clickhouse.kill()
    try:
        browser.one("[data-control=now]").click()
        browser.until(lambda: set(browser.states().values()) == {"stale"})
        assert "does not answer" in browser.text("#status")
        assert "ClickHouse is away: shown is what was known at" in browser.text(".note")
        assert browser.texts('[data-name="deployments-worst-first"] tbody tr')
        browser.driver.switch_to.new_window("tab")
        browser.open(board.address("fleet"))
        assert set(browser.states().values()) == {"broken"}
        assert "ClickHouse is away" in browser.text(BROKEN)
        assert "asked again by itself" in browser.text(BROKEN)
    finally:
        board.clickhouse.start()
    browser.until(lambda: set(browser.states().values()) == {"shown"})
    browser.driver.close()
    browser.driver.switch_to.window(first)
    browser.until(lambda: set(browser.states().values()) == {"shown"})
    assert browser.run(marked) == "same page"
    assert browser.text("#status") == "It answers again."


def test_a_time_without_data_is_not_fine(board: World, browser: Browser) -> None:
    """Where there is nothing, each panel says so and what it means; no panel shows a good colour."""
    browser.open(f"{board.board.address}deployment?from=2001-01-01&to=2001-02-01")
    assert set(browser.states().values()) == {"empty"}
    assert "No data" in browser.text(".empty")
    assert "is there a profile for this version?" in browser.text('[data-name="verdicts"] .empty')
    assert browser.texts("#grid .badge.ok") == []


@pytest.mark.parametrize(
    ("trouble", "word"),
    [
        (Trouble.TIMEOUT, "It took too long"),
        (Trouble.LIMIT, "It is too much to show"),
        (Trouble.DENIED, "It may not be read"),
        (Trouble.PANEL, "This panel is broken"),
    ],
)
def test_each_trouble_has_its_words(browser: Browser, trouble: Trouble, word: str) -> None:
    """A panel that fails says what kind of failure it is, the server's sentence, and offers to try again."""
    source = Told(NoFiguresError(trouble, "that is why"), only="unacknowledged")
    with serving(app(source)) as address:
        browser.open(f"{address}/fleet")
        panel = '[data-name="alerts-that-fire"] .broken'
        assert word in browser.text(panel)
        assert "That is why." in browser.text(panel)
        asked = len(source.asked)
        browser.one(f"{panel} button").click()
        browser.until(lambda: len(source.asked) > asked)


def test_an_answer_of_another_form_breaks_its_panel_alone(browser: Browser) -> None:
    """A panel that the page cannot draw says so, and the others are drawn."""
    with serving(app(Told())) as address:
        browser.open(f"{address}/fleet")
        assert "could not draw it" in browser.text('[data-name="predictions-by-deployment"] .broken')
        assert browser.states()["deployments-worst-first"] == "shown"


def test_names_from_outside_are_text(browser: Browser) -> None:
    """A deployment whose name is HTML is shown as it is called, and does nothing."""
    with serving(app(Told(value="<img src=x onerror='document.title=1'>"))) as address:
        browser.open(f"{address}/fleet")
        assert "<img" in browser.text('[data-name="advice"] tbody')
        assert browser.run("return document.querySelector('main img')") is None


def test_a_token_is_asked_for_once(browser: Browser) -> None:
    """A page leads to the login and back to where it was; a wrong token is said to be one; logging out ends it."""
    with serving(app(Told(), token=TOKEN)) as address:
        browser.driver.get(f"{address}/change?from=now-6h")
        assert "/login?next=" in browser.driver.current_url
        browser.one("#token").send_keys("wrong-wrong-wrong")
        browser.one("form button").click()
        browser.until(lambda: "not the board's token" in browser.text("#said"))
        browser.one("#token").send_keys(TOKEN)
        browser.one("form button").click()
        browser.until(lambda: "/change?from=now-6h" in browser.driver.current_url)
        browser.settled()
        assert browser.run("return document.cookie") == ""
        browser.one("#logout button").click()
        browser.until(lambda: "/login" in browser.driver.current_url)
