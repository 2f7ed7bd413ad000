"""How commands print for programs: one JSON object a line with `--json`, and nothing else on stdout."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click
import msgspec

F = TypeVar("F", bound=Callable[..., Any])


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
    """Print columns as wide as they need to be, a bold head and an empty line after; nothing without rows."""
    lines = [head, *rows]
    if len(lines) == 1:
        return
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for number, line in enumerate(lines):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        click.echo(click.style(text, bold=True) if number == 0 else text)
    click.echo()


def _plain(value: object) -> object:
    """Turn numpy scalars and arrays, which msgspec does not know, into Python's own."""
    to_list = getattr(value, "tolist", None)
    if to_list is None:
        raise NotImplementedError(type(value).__name__)
    plain: object = to_list()
    return plain
