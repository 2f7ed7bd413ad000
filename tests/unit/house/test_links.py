"""Links in documents: each file and each heading that one names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown.extensions.toc import slugify

INLINE = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
IMAGE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")
MENTION = re.compile(r"(?<![\w/.-])docs/(?!protocol/)[\w/-]+\.(?:md|py)\b")  # docs/protocol is Triton's
FENCE = re.compile(r"^```.*?^```$|^    .*?$", re.MULTILINE | re.DOTALL)
OUTSIDE = ("http://", "https://", "mailto:")


@pytest.fixture(scope="module")
def documents(checkout: Path, tracked: list[Path]) -> dict[Path, str]:
    """Return every document of the repository by its path in it."""
    found = {file: (checkout / file).read_text(encoding="utf-8") for file in tracked if file.suffix == ".md"}
    assert len(found) > 20
    return found


def headings(text: str) -> set[str]:
    """Return the anchors of a page's headings, as the site makes them."""
    plain = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+?)\s*$", plain, re.MULTILINE)
    return {slugify(re.sub(r"[`*]", "", title), "-") for title in titles}


def test_links_lead_somewhere(checkout: Path, documents: dict[Path, str]) -> None:
    """Every link to a file of the repository, and to a heading in it, has its target."""
    wrong = []
    for file, text in documents.items():
        for target in (*INLINE.findall(FENCE.sub("", text)), *IMAGE.findall(text)):
            if target.startswith(OUTSIDE):
                continue
            name, _, anchor = target.partition("#")
            path = (checkout / file.parent / name).resolve() if name else checkout / file
            if not path.exists():
                wrong.append(f"{file}: {target}")
            elif file.parts[0] == "docs" and path.is_dir():
                wrong.append(f"{file}: {target} is a folder, which the site does not show")
            elif anchor and anchor not in headings(path.read_text(encoding="utf-8")):
                wrong.append(f"{file}: {target} has no such heading")
    assert wrong == []


def test_pages_that_the_code_names_are_there(checkout: Path, tracked: list[Path]) -> None:
    """Where help, errors or comments send a reader to docs/, the page is there."""
    wrong = [
        f"{file}: {name}"
        for file in tracked
        if file.suffix in {".py", ".md", ".toml", ".sql", ".avsc"} and file.parts[0] != "tests"
        for name in MENTION.findall((checkout / file).read_text(encoding="utf-8"))
        if not (checkout / name).is_file()
    ]
    assert wrong == []
