"""The order of pages on the site (mkdocs.yml): a page that no section names stands in the one of its folder.

So a new page is on the site as soon as it lies in docs/, and nothing has to be listed twice.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((\.\./[^)\s#]+)\)")
START = {"index.md": "Home", "tutorial.md": "Tutorial"}
SECTIONS: dict[str, tuple[str, ...]] = {
    "How to": ("how-to/*.md", "own-data.md", "emitter.md", "other-languages.md", "deployment-settings.md",
               "alerts.md", "retraining.md", "packages.md", "serving.md", "control.md", "replay.md", "dashboards.md",
               "board.md", "deploy.md", "upgrade.md", "capacity.md", "*.md"),
    "Runbooks": ("runbooks/panels/*.md", "runbooks/*.md"),
    "Explanation": ("explanation/*.md", "statistics.md", "advice.md", "controller.md", "audit.md", "security.md",
                    "alerts-simulation.md", "compared.md"),
    "Reference": ("reference/*.md", "benchmarks.md"),
}  # fmt: skip
"""Section -> patterns of its pages, in order; what several match stands in the section that names it itself."""


def on_config(config: Any) -> Any:  # noqa: ANN401 - mkdocs has no types
    """Give mkdocs the list of all pages."""
    config["nav"] = nav(Path(config["docs_dir"]))
    return config


def on_page_markdown(text: str, page: Any, config: Any, **_others: object) -> str:  # noqa: ANN401 - as above
    """Name a file of the repository that is not on the site, where a page links it."""
    docs = Path(config["docs_dir"])

    def named(link: re.Match[str]) -> str:
        target = (docs / page.file.src_uri).parent / link[2]
        path = Path(os.path.normpath(target))
        if path.is_relative_to(docs) or not path.exists():
            return link[0]
        return f"{link[1]} (`{path.relative_to(docs.parent)}`)"

    return LINK.sub(named, text)


def nav(folder: Path) -> list[Any]:
    """Return the list of pages of a folder, as mkdocs takes it; each page stands in it once."""
    every = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.md"))
    named = {*START, *(name for names in SECTIONS.values() for name in names)}
    left = [name for name in every if name not in START]
    made: list[Any] = [{title: name} for name, title in START.items() if name in every]
    for title, patterns in SECTIONS.items():
        pages: list[str] = []
        for pattern in patterns:
            # A page in the top folder that is named somewhere is not caught by *.md.
            pages += [
                name
                for name in left
                if name not in pages
                and (
                    name == pattern
                    or (Path(name).match(pattern) and name not in named and _depth(name, pattern))
                )
            ]
        if pages:
            made.append({title: pages})
    shown = {
        name for section in made if isinstance(section, dict) for pages in section.values() for name in pages
    }
    rest = [name for name in left if name not in shown]
    return [*made, *([{"Other": rest}] if rest else [])]


def _depth(name: str, pattern: str) -> bool:
    return name.count("/") == pattern.count("/")
