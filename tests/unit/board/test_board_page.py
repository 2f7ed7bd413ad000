"""The board's page as files: what it loads, and that it is all its own."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

# uPlot 1.6.32 of npm, MIT: its files as published, which nobody edits here.
UPLOT = {
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "uPlot.LICENSE.txt": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}
LONGEST_LINES = 300


@pytest.fixture(scope="module")
def page(checkout: Path) -> Path:
    """The folder of the page."""
    return checkout / "deploy" / "board" / "web" / "page"


def own(page: Path, *kinds: str) -> dict[str, str]:
    """The page's own files of some kinds, by name."""
    found = {file.name: file.read_text(encoding="utf-8") for kind in kinds for file in page.glob(f"*.{kind}")}
    assert found
    return found


def test_uplot_is_as_published(page: Path, checkout: Path) -> None:
    """The vendored files are those of the version that docs/board.md names, with their licence, and no others."""
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (page / "vendor").iterdir()}
    assert found == UPLOT
    about = (checkout / "docs" / "board.md").read_text(encoding="utf-8")
    assert "uPlot 1.6.32" in about
    for digest in UPLOT.values():
        assert digest in about


def test_pages_hold_no_script_and_no_style(page: Path) -> None:
    """All scripts and styles are files, as the policy demands."""
    for name, text in own(page, "html").items():
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text), name
        assert re.findall(r"<script(?![^>]*\bsrc=)", text) == [], name


def test_everything_that_is_loaded_is_here(page: Path) -> None:
    """Pages and modules name files of the board alone, and all of them exist; nothing comes from elsewhere."""
    for name, text in own(page, "html").items():
        for place in re.findall(r'(?:src|href)="([^"#]+)"', text):
            if place != "/fleet":
                assert place.startswith("/static/"), (name, place)
                assert (page / place.removeprefix("/static/")).is_file(), (name, place)
    for name, text in own(page, "js").items():
        for place in re.findall(r'\bfrom "([^"]+)"', text):
            assert place.startswith("./"), (name, place)
            assert (page / place).is_file(), (name, place)
    for name, text in own(page, "js", "css", "html", "svg").items():
        addresses = re.findall(r"https?://[\w.]+", text.replace("http://www.w3.org/2000/svg", ""))
        assert addresses == [], name


def test_modules_are_fetched_at_once(page: Path) -> None:
    """The page names every module, so that none is found only when another was read."""
    text = (page / "index.html").read_text(encoding="utf-8")
    named = set(re.findall(r'(?:modulepreload" href|script src)="/static/(\w+\.js)"', text))
    assert named == set(own(page, "js"))


def test_a_new_tab_has_no_hand_on_the_board(page: Path) -> None:
    """A link that opens a tab of its own does not hand it the window that it came from."""
    opened = [line for text in own(page, "js").values() for line in text.splitlines() if '"_blank"' in line]
    assert opened
    assert [line for line in opened if not re.search(r'rel: "[a-z ]*\bnoopener\b', line)] == []


def test_text_is_never_read_as_html(page: Path) -> None:
    """No module makes elements of text or code of text: names of deployments come from outside."""
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    for name, text in own(page, "js").items():
        assert not re.search(forbidden, text), name


def test_scripts_and_styles_are_short(page: Path) -> None:
    """No own file is longer than 300 lines, and each module says what it is for."""
    for name, text in own(page, "js", "css").items():
        assert len(text.splitlines()) <= LONGEST_LINES, name
        assert text.startswith(("// ", "/* ")), name


def test_pictures_of_the_page_are_there_and_small(checkout: Path) -> None:
    """Each picture that docs/board.md shows exists, is used, and takes at most 150 kB."""
    text = (checkout / "docs" / "board.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"!\[[^\]]+\]\((images/[\w.-]+)\)", text))
    taken = {f"images/{file.name}" for file in (checkout / "docs" / "images").glob("board-*.png")}
    assert shown == taken
    for name in shown:
        assert (checkout / "docs" / name).stat().st_size <= 150_000, name
