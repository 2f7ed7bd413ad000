"""Page: a comparison as one HTML file that needs no network, for a phone or a screen, by day or night."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path

from driftline.deploy.compare.bars import bars_svg
from driftline.deploy.compare.shown import SEVERITY, Entry
from driftline.deploy.tables.errors import TableError
from driftline.streams.windows.comparison import Comparison

FIGURES = (
    ("psi", "PSI"),
    ("js", "JS"),
    ("hellinger", "Hellinger"),
    ("ks", "KS"),
    ("w1_sigma", "W1/σ"),
)
_HEAD = "<!doctype html>"
KINDS = {"drift": "input", "prediction": "output"}


def write_page(path: Path, text: str) -> None:
    """Write a page; raises TableError when it cannot be written, or something else lies there, as a table."""
    try:
        if path.is_fifo():
            raise TableError(f"{path} is a pipe: give --html a file")
        if path.is_file():
            with path.open("rb") as file:
                head = file.read(len(_HEAD))
            if head and head != _HEAD.encode():
                raise TableError(f"{path} is there and no page, and would be lost: give --html another file")
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TableError(f"{path} cannot be written: {error.strerror}; give --html another file") from error


def page(found: Comparison, entries: Sequence[Entry], reference: str, current: str) -> str:
    """Write the page.

    Args:
        found: the comparison.
        entries: its columns, in the order to show.
        reference: name of the reference table.
        current: name of the current one.
    """
    style = (resources.files("driftline.deploy.compare") / "page.css").read_text(encoding="utf-8")
    cards = "\n".join(_card(entry) for entry in entries)
    title = escape(f"{current} against {reference}")
    return f"""{_HEAD}
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1><span class="name">{escape(current)}</span> against <span class="name">{escape(reference)}</span></h1>
<p>{found.rows:,} rows against {found.reference_rows:,}, judged as a window of {escape(found.resolution)}.</p>
<p class="sums">{_sums(entries)}</p>
<p class="key"><span class="old"></span> reference <span class="new"></span> now</p>
</header>
<main>
{cards}
</main>
<footer>Bars are shares of the rows, the greatest of each picture in full height. PSI counts how far shares moved; W1/σ
how far the values did, in standard deviations of the reference. A column warns above a PSI of 0.1 and fails above
0.25, when that is also more than chance and more than the reference's own windows differ from each other.</footer>
</body>
</html>
"""


def _sums(entries: Sequence[Entry]) -> str:
    count = Counter(entry.verdict for entry in entries)
    return " ".join(
        f'<span class="badge {verdict}">{count[verdict]} {verdict}</span>'
        for verdict in SEVERITY
        if count[verdict]
    )


def _card(entry: Entry) -> str:
    name = escape(entry.name)
    figures = "".join(
        f"<div><dt>{label}</dt><dd>{value:.3g}</dd></div>"
        for metric, label in FIGURES
        if (value := entry.figures.get(metric)) is not None
    )
    faults = "".join(f'<li class="{fault.verdict}">{escape(fault.reason)}</li>' for fault in entry.faults)
    last = f"and {entry.not_drawn} more" if entry.not_drawn else entry.bars[-1].label if entry.bars else ""
    first = entry.bars[0].label if entry.bars else ""
    ends = f'<p class="ends"><span>{escape(first)}</span><span>{escape(last)}</span></p>'
    return f"""<article class="{entry.verdict}">
<h2><span class="name">{name}</span><span class="kind">{KINDS[entry.kind]}</span>\
<span class="badge {entry.verdict}">{entry.verdict}</span></h2>
{bars_svg(entry.bars, f"Shares of {entry.name}, reference and now")}
{ends}
<p>{escape(entry.psi.reason)}</p>
{f"<ul>{faults}</ul>" if faults else ""}
<dl>{figures}</dl>
</article>"""
