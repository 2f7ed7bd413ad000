"""How commands print: one JSON object a line for programs, with `--json`, and tables that fit for people."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable
from itertools import zip_longest
from typing import Any, Final, TypeVar

import click
import msgspec

F = TypeVar("F", bound=Callable[..., Any])
GAP: Final = "  "
NARROWEST: Final = 6
"""A column is not made narrower, whatever the room."""


def log_to_stderr() -> None:
    """Let a process that goes on until it is told to stop say there what it does."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def json_option(function: F) -> F:
    """Add `--json` (parameter `as_json: bool`) to a command."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")(
        function
    )


def json_line(value: object) -> str:
    """Return one line of strict JSON: NaN and infinities are null, numpy values are plain, order is kept.

    >>> json_line({"psi": float("nan"), "rows": 3})
    '{"psi":null,"rows":3}'
    """
    return msgspec.json.encode(value, enc_hook=_plain).decode()


def print_json(value: object) -> None:
    """Print one value as one line."""
    click.echo(json_line(value))


def print_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Print columns, a bold head and an empty line after; nothing without rows.

    Columns are as wide as they need to be; where a terminal (or COLUMNS) has less room, the widest ones are wrapped.
    Into a file or a pipe, without COLUMNS, each row is one line.
    """
    lines = [head, *rows]
    if len(lines) == 1:
        return
    widths = _fit([max(len(line[column]) for line in lines) for column in range(len(head))], room())
    for number, line in enumerate(lines):
        cells = [_wrapped(cell, width) for cell, width in zip(line, widths, strict=True)]
        for parts in zip_longest(*cells, fillvalue=""):
            text = GAP.join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
            click.echo(click.style(text, bold=True) if number == 0 else text)
    click.echo()


def room() -> int | None:
    """Give the columns that there are: what COLUMNS says, else the terminal's; None where nothing ends a line."""
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said) > 0:
        return int(said)
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _fit(widths: list[int], columns: int | None) -> list[int]:
    """Take from the widest columns what the row has too much.

    >>> _fit([40, 6, 50], 80), _fit([40, 6, 50], None)
    ([35, 6, 35], [40, 6, 50])
    """
    fitted = list(widths)
    over = 0 if columns is None else sum(widths) + len(GAP) * (len(widths) - 1) - columns
    for _ in range(over):
        widest = fitted.index(max(fitted))
        if fitted[widest] <= NARROWEST:
            break
        fitted[widest] -= 1
    return fitted


def _wrapped(cell: str, width: int) -> list[str]:
    return [cell] if len(cell) <= width else textwrap.wrap(cell, width, break_on_hyphens=False)


def _plain(value: object) -> object:
    """Turn numpy scalars and arrays, which msgspec does not know, into Python's own."""
    to_list = getattr(value, "tolist", None)
    if to_list is None:
        raise NotImplementedError(type(value).__name__)
    plain: object = to_list()
    return plain
