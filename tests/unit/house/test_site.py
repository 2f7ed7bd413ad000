"""The site: mkdocs.yml, and the list of pages that scripts/site_nav.py makes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest


def loaded(checkout: Path, name: str) -> ModuleType:
    """Return a file of scripts/ as a module."""
    spec = importlib.util.spec_from_file_location(name, checkout / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site_nav(checkout: Path) -> ModuleType:
    """Return scripts/site_nav.py as a module."""
    return loaded(checkout, "site_nav")


def listed(nav: list[dict[str, str | list[str]]]) -> list[str]:
    """Return the pages of a list in order."""
    found: list[str] = []
    for entry in nav:
        (pages,) = entry.values()
        found += [pages] if isinstance(pages, str) else pages
    return found


def test_each_page_is_listed_once(checkout: Path, site_nav: ModuleType) -> None:
    """Every page of docs/ is in the navigation, once."""
    docs = checkout / "docs"
    pages = sorted(file.relative_to(docs).as_posix() for file in docs.rglob("*.md"))
    assert sorted(listed(site_nav.nav(docs))) == pages


def test_a_new_page_is_listed_by_itself(tmp_path: Path, site_nav: ModuleType) -> None:
    """A page that no section names stands in the section of its folder, or under Other."""
    for name in ("index.md", "new.md", "how-to/first.md", "runbooks/lag.md", "else/page.md", "audit.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert site_nav.nav(tmp_path) == [
        {"Home": "index.md"},
        {"How to": ["how-to/first.md", "new.md"]},
        {"Runbooks": ["runbooks/lag.md"]},
        {"Explanation": ["audit.md"]},
        {"Other": ["else/page.md"]},
    ]


def test_pages_that_fetch_from_elsewhere_are_found(checkout: Path, tmp_path: Path) -> None:
    """A script, a style or a font from another host is found; a link that a reader may follow is none."""
    site_check = loaded(checkout, "site_check")
    (tmp_path / "good.html").write_text(
        '<a href="https://example.org">x</a><script src="js/own.js"></script>'
    )
    (tmp_path / "bad.html").write_text('<script async src="https://cdn.example.org/x.js"></script>')
    (tmp_path / "font.html").write_text("<link rel=stylesheet href='//fonts.example.org/css'>")
    (tmp_path / "bad.css").write_text("@font-face { src: url(https://fonts.example.org/a.woff) }")
    (tmp_path / "good.css").write_text("@font-face { src: url(../webfonts/a.woff) }")
    assert site_check.fetching(tmp_path) == ["bad.css", "bad.html", "font.html"]


def test_files_off_the_site_are_named(tmp_path: Path, site_nav: ModuleType) -> None:
    """A link to a file of the repository outside docs/ becomes its name on the site; one to a page stays a link."""
    (tmp_path / "docs" / "how-to").mkdir(parents=True)
    for name in ("schemas.avsc", "docs/page.md"):
        (tmp_path / name).touch()
    page = SimpleNamespace(file=SimpleNamespace(src_uri="how-to/one.md"))
    text = "[it](../../schemas.avsc), [page](../page.md), [gone](../../gone.avsc)"
    told = site_nav.on_page_markdown(text, page=page, config={"docs_dir": str(tmp_path / "docs")}, files=None)
    assert told == "it (`schemas.avsc`), [page](../page.md), [gone](../../gone.avsc)"
