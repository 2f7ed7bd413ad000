"""A Chromium without a screen that looks at the board."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import programs
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = "chromium", "chromedriver"
WAIT_S = 60
DESKTOP, PHONE = (1280, 900), (375, 800)


class Browser:
    """What the tests do with a page.

    Attributes:
        driver: the driver itself.
    """

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver: Any = driver  # some of its methods have no types

    def look(self, size: tuple[int, int] = DESKTOP, scheme: str = "light") -> None:
        """Take a size in CSS pixels and the system's colours; what the last page left is forgotten."""
        self.driver.get("about:blank")
        self.driver.delete_all_cookies()
        self._tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.resize(size)
        self.driver.get_log("browser")

    def resize(self, size: tuple[int, int]) -> None:
        """Take a size in CSS pixels."""
        width, height = size
        self._tell(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 700,
        )

    def open(self, address: str) -> None:
        """Open an address of the board and wait until it has drawn, or said what is wrong."""
        self.driver.get(address)
        self.settled()

    def settled(self) -> None:
        """Wait until the page has asked everything and no panel waits."""
        self.until(
            lambda: self.run(
                "return Boolean(document.body?.dataset.ready || document.body?.dataset.trouble)"
                " && !document.querySelector('.panel[aria-busy]')"
            )
        )

    def until(self, holds: Callable[[], Any]) -> Any:
        """Wait until something holds, and give it."""
        return WebDriverWait(self.driver, WAIT_S, poll_frequency=0.05).until(lambda _driver: holds())

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page."""
        return self.driver.execute_script(script, *arguments)

    def one(self, selector: str) -> WebElement:
        """The first element of a selector."""
        found: WebElement = self.driver.find_element(By.CSS_SELECTOR, selector)
        return found

    def text(self, selector: str) -> str:
        """The text of the first element of a selector; "" without one."""
        found: str = self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)
        return found

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements of a selector."""
        found: list[str] = self.run(
            "return [...document.querySelectorAll(arguments[0])].map((each) => each.innerText.trim())",
            selector,
        )
        return found

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self) -> str:
        """What has the focus: its tag, its name and its text."""
        found: str = self.run(
            "const e = document.activeElement;"
            "return [e.tagName.toLowerCase(), e.id || e.className, e.innerText?.slice(0, 40)].join(' ')"
        )
        return found

    def states(self) -> dict[str, str]:
        """Panel → its state, in their order."""
        found: list[tuple[str, str]] = self.run(
            "return [...document.querySelectorAll('.panel')]"
            ".map((each) => [each.dataset.name, each.dataset.state])"
        )
        return dict(found)

    def complaints(self) -> list[str]:
        """What the page's console says since the last look: errors, and what the policy refused."""
        return [str(entry["message"]) for entry in self.driver.get_log("browser")]

    def shoot(self, file: str) -> None:
        """Save a picture of the whole page."""
        self.driver.save_screenshot(file)

    def _tell(self, command: str, **words: Any) -> None:
        self.driver.execute_cdp_cmd(command, words)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a Chromium."""
    options = Options()
    options.binary_location = programs.needed(CHROMIUM)
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(programs.needed(DRIVER)))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
