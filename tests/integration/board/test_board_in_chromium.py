"""The board as people see it: a real Chromium, a real ClickHouse, every dashboard."""

from __future__ import annotations

from functools import partial

import pytest
from board_browser import PHONE, Browser
from board_world import World
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from driftline.deploy.board.panel import Kind
from driftline.deploy.board.panels import DASHBOARDS

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.needs("chromedriver", "chromium-driver")]

# Where the fleet's data has something for every panel of a dashboard.
PICKED = {"change": {"deployment": "deployment-1"}, "feature": {"feature": "f1"}}
# A feature is a number or a category: the other's panel is empty.
OTHER = {"its-levels-over-time": {"feature": "f2"}}
DRAWN = {
    Kind.SERIES: "canvas",
    Kind.STATES: ".timeline canvas",
    Kind.STAT: "dd[data-column]",
    Kind.TABLE: "tbody tr",
}
# Colours of a canvas beyond those of its frame mean that something was drawn on it.
COLOURS = """
const canvas = arguments[0];
const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
const found = new Set();
for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 200) found.add(data.slice(at, at + 3).join());
return found.size;
"""


@pytest.mark.parametrize("name", [each.name for each in DASHBOARDS])
def test_every_panel_of_every_dashboard_draws(board: World, browser: Browser, name: str) -> None:
    """Each panel shows data in the form of its kind, and the page has no error and asks nothing of others."""
    [listed] = [each for each in DASHBOARDS if each.name == name]
    browser.open(board.address(name, **PICKED.get(name, {})))
    states = browser.states()
    assert list(states) == [panel.name for panel in listed.panels]
    assert {panel: state for panel, state in states.items() if state != "shown"} == dict.fromkeys(
        set(OTHER) & set(states), "empty"
    )
    for panel in listed.panels:
        if panel.name not in OTHER:
            check_drawn(browser, panel.name, panel.kind)
    for other in set(OTHER) & set(states):
        browser.open(board.address(name, **OTHER[other]))
        assert browser.states()[other] == "shown"
        check_drawn(browser, other, Kind.SERIES)
    assert browser.complaints() == []
    assert set(
        browser.run("return performance.getEntriesByType('resource').map((each) => new URL(each.name).host)")
    ) == {browser.run("return location.host")}


def check_drawn(browser: Browser, panel: str, kind: Kind) -> None:
    """Hold that a panel shows what its kind shows."""
    selector = f'[data-name="{panel}"] {DRAWN[kind]}'
    assert browser.texts(selector), panel
    if kind in (Kind.SERIES, Kind.STATES):
        assert browser.run(COLOURS, browser.one(selector)) > 3, panel
    if kind is Kind.SERIES:
        assert browser.texts(f'[data-name="{panel}"] .legend tbody tr'), panel


def test_a_picker_changes_what_is_asked(board: World, browser: Browser) -> None:
    """A deployment that is searched and picked by keys is the one that is shown, and stands in the address."""
    browser.open(board.address("fleet"))
    rows = '[data-name="deployments-worst-first"] tbody th'
    assert set(browser.texts(rows)) == {"deployment-0", "deployment-1", "deployment-2"}
    browser.one('[data-variable="deployment"]').send_keys(Keys.ENTER)
    browser.press("ment-2", Keys.ARROW_DOWN, Keys.SPACE, Keys.ENTER)
    browser.until(lambda: set(browser.texts(rows)) == {"deployment-2"})
    assert "deployment=deployment-2" in browser.driver.current_url
    assert browser.text('[data-variable="deployment"]') == "deployment-2"
    browser.driver.back()
    browser.until(lambda: len(set(browser.texts(rows))) == 3)


def test_an_address_restores_what_was_shown(board: World, browser: Browser) -> None:
    """Time, refresh and picks of an address are those of the page, and its links keep them."""
    address = board.address(
        "deployment", deployment="deployment-1", version="1", resolution="1d", refresh="30s"
    )
    browser.open(address)
    assert browser.run("return document.querySelector('[data-control=refresh]').value") == "30s"
    assert browser.text('[data-variable="deployment"]') == "deployment-1"
    assert board.shown[0].strftime("%Y-%m-%d") in browser.text("[data-control=time]")
    link = browser.run("return document.querySelector('#boards a[href^=\"/fairness\"]').href")
    for part in (
        "deployment=deployment-1",
        "version=1",
        "refresh=30s",
        board.span.split("&")[0].replace(":", "%3A"),
    ):
        assert part in link
    feature = browser.run("return document.querySelector('[data-name=inputs-that-moved] tbody a').href")
    assert "/feature?" in feature
    assert "deployment=deployment-1" in feature
    browser.open(feature)
    assert browser.states()["psi-and-its-limits"] == "shown"


def test_what_an_address_cannot_mean_is_told(board: World, browser: Browser) -> None:
    """Times that are none are those of the start, and the page says so."""
    browser.open(f"{board.board.address}fleet?from=yesterday&to=now")
    assert "from=yesterday" in browser.text("#status")


def test_dragging_over_a_chart_shows_that_time(board: World, browser: Browser) -> None:
    """The time dragged over becomes the time shown, in the address too."""
    browser.open(board.address("fleet"))
    plot = browser.one('[data-name="predictions-by-deployment"] .u-over')
    browser.run("arguments[0].scrollIntoView({block: 'center'})", plot)
    before = browser.driver.current_url
    ActionChains(browser.driver).move_to_element_with_offset(plot, -60, 0).click_and_hold().move_by_offset(
        120, 0
    ).release().perform()
    browser.until(lambda: browser.driver.current_url != before)
    browser.settled()
    shown = browser.run("return Object.fromEntries(new URLSearchParams(location.search))")
    assert board.shown[0].strftime("%Y-%m-%dT%H:%MZ") < shown["from"] < shown["to"]


def is_sorted(browser: Browser, order: str) -> bool:
    """Whether the head of a column that has the focus says so."""
    return bool(browser.run("return document.activeElement.closest('th')?.ariaSort") == order)


def test_everything_is_reached_by_keys(board: World, browser: Browser) -> None:
    """The first Tab skips to the panels, a chart reads its values by arrows, a table sorts by Enter."""
    browser.open(board.address("fleet"))
    browser.press(Keys.TAB)
    assert "Skip to the panels" in browser.focused()
    browser.press(Keys.ENTER)
    assert browser.focused().startswith("main panels")

    def reads() -> bool:
        browser.run("document.querySelector('[data-name=predictions-by-deployment] .plot').focus()")
        browser.press(Keys.ARROW_RIGHT)
        return "deployment-0: 2,000" in browser.text("#status")

    browser.until(reads)
    browser.run("document.querySelector('.timeline canvas').focus()")
    browser.press(Keys.END)
    browser.until(lambda: browser.text("#status").startswith("deployment-"))
    for order in ("ascending", "descending"):
        browser.run(
            "document.querySelector('[data-name=deployments-worst-first] [data-keep=\"sort deployment\"]').focus()"
        )
        browser.press(Keys.ENTER)
        browser.until(partial(is_sorted, browser, order))
    names = browser.texts('[data-name="deployments-worst-first"] tbody th')
    assert names == sorted(names, reverse=True)


KEPT = (
    ("deployments-worst-first", "sort deployment"),
    ("predictions-by-deployment", "plot"),
    ("predictions-by-deployment", "line deployment-1"),
    ("worst-verdict-of-each-window", "row deployment-1"),
)


@pytest.mark.parametrize(("panel", "kept"), KEPT)
def test_a_refresh_keeps_the_focus(board: World, browser: Browser, panel: str, kept: str) -> None:
    """What had the focus has it after its panel was drawn anew, in its own panel, at the value it read."""
    browser.open(board.address("fleet"))
    element = f'document.querySelector(\'[data-name="{panel}"] [data-keep="{kept}"]\')'
    has_focus = f"return document.activeElement === {element}"
    is_read_by_arrows = kept.startswith(("plot", "row"))
    browser.run(f"{element}.focus()")
    if is_read_by_arrows:
        browser.press(Keys.HOME, Keys.ARROW_RIGHT)
        second = browser.text("#status")
    shown = browser.run(f"window.shown = {element}; return document.body.dataset.ready")
    browser.run("document.querySelector('[data-control=now]').click()")
    browser.until(lambda: browser.run("return document.body.dataset.ready") != shown)
    assert browser.run(f"return window.shown !== {element}")
    assert browser.run(has_focus)
    if is_read_by_arrows:
        browser.press(Keys.ARROW_RIGHT)
        third = browser.text("#status")
        browser.press(Keys.ARROW_LEFT)
        assert third != second == browser.text("#status")


def test_a_list_that_is_open_closes_by_escape(board: World, browser: Browser) -> None:
    """Escape closes it, changes nothing, and gives the focus back to what opened it."""
    browser.open(board.address("fleet"))
    before = browser.driver.current_url
    browser.one('[data-variable="deployment"]').send_keys(Keys.ENTER)
    assert browser.run("return document.activeElement.type") == "search"
    browser.press(Keys.ARROW_DOWN, Keys.SPACE, Keys.ESCAPE)
    assert browser.run("return document.activeElement.dataset.variable") == "deployment"
    assert browser.driver.current_url == before


def test_what_is_pressed_has_a_name(board: World, browser: Browser) -> None:
    """Every control and every chart says what it is to who hears the page."""
    for name in ("fleet", "deployment"):
        browser.open(board.address(name))
        unnamed = browser.run(
            "return [...document.querySelectorAll('button, select, input, a[href], canvas[tabindex], [role=group]')]"
            ".filter((each) => !(each.ariaLabel || each.labels?.length"
            " || (!each.matches('select, input') && each.innerText)))"
            ".map((each) => each.outerHTML.slice(0, 120))"
        )
        assert unnamed == []


@pytest.mark.parametrize("name", [each.name for each in DASHBOARDS])
def test_a_phone_scrolls_down_alone(board: World, browser: Browser, name: str) -> None:
    """At 375 px nothing of a page is wider than the screen; a wide table scrolls in its own frame."""
    browser.resize(PHONE)
    browser.open(board.address(name, **PICKED.get(name, {})))
    assert browser.run("return [document.documentElement.scrollWidth, innerWidth]") == [375, 375]
    wide = browser.run(
        "return [...document.querySelectorAll('main *, header *, #controls *')].filter((each) =>"
        " !each.closest('.scroll, .legend, .plot, .sheet') && each.getBoundingClientRect().right > 376)"
        ".map((each) => each.outerHTML.slice(0, 120))"
    )
    assert wide == []


def test_colours_follow_the_system_until_one_is_picked(board: World, browser: Browser) -> None:
    """Dark where the system is dark; a pick holds against it, also on the next page."""
    browser.look(scheme="dark")
    browser.open(board.address("fleet"))
    page = "return getComputedStyle(document.body).backgroundColor"
    dark = browser.run(page)
    browser.one("#theme").send_keys("Light")
    browser.until(lambda: browser.run(page) != dark)
    browser.open(board.address("change"))
    assert browser.run(page) != dark
    browser.one("#theme").send_keys("System")
    browser.until(lambda: browser.run(page) == dark)
