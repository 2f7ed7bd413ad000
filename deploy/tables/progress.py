"""A progress bar for people; nothing where nobody watches."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console


@contextlib.contextmanager
def bar(console: Console, what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar while the block runs, and give what moves it on by a number of rows.

    Off a terminal nothing is shown.
    """
    if not console.is_terminal:
        yield lambda _rows: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda rows: progress.advance(task, rows)
